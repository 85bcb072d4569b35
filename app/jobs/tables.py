"""The queue's tables: PGQueuer's own, with names and durability that no environment variable changes."""

from typing import Any

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence import schema_ddl
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.schema.declaration import target
from pgqueuer.domain.settings import DBSettings, Durability
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from app.database.engine import Connection


class _Names(DBSettings):
    """PGQueuer would let variables as common as CHANNEL and DURABILITY rename or weaken its tables."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


NAMES: DBSettings = _Names(durability=Durability.durable)
CHANNEL: str = NAMES.channel


def queries(connection: Connection) -> Queries:
    """PGQueuer's operations over one connection, in whatever transaction that is."""
    lent: Any = connection  # PGQueuer's annotation does not know a pool's connections
    return Queries(
        AsyncpgDriver(lent),
        qbe=QueryBuilderEnvironment(NAMES),
        qbq=QueryQueueBuilder(NAMES),
        qbs=QuerySchedulerBuilder(NAMES),
    )


def install_statements() -> list[str]:
    """What makes the tables, one statement each, as the installed PGQueuer wants them."""
    schema = target(NAMES)
    return [
        *(schema_ddl.render_enum(enum, NAMES) for enum in schema.enums),
        *(schema_ddl.render_table(table, NAMES) for table in schema.tables),
        *(schema_ddl.render_index(index, NAMES) for index in schema.indexes),
        *(schema_ddl.render_function(function, NAMES) for function in schema.functions),
        *(schema_ddl.render_trigger(trigger, NAMES) for trigger in schema.triggers),
    ]


def uninstall_statements() -> list[str]:
    """What removes everything that `install_statements` makes."""
    return schema_ddl.render_uninstall(NAMES).splitlines()
