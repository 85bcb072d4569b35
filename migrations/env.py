"""Alembic's environment: `app.database.migrations` hands in the connection."""

from typing import Any

from alembic import context
from geoalchemy2 import alembic_helpers
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import ischema_names

import app.campaigns.models
import app.database.models
import app.endorsements.models
import app.pages.models
import app.publishing.models
import app.sites.models  # noqa: F401 - the models must be known to the metadata
from app.database.base import Base
from app.database.migrations import VERSION_TABLE
from app.publishing.models import PgSnapshot, Xid8

ischema_names.update({"xid8": Xid8, "pg_snapshot": PgSnapshot})


def include_object(item: Any, name: str | None, kind: Any, reflected: bool, compare_to: Any) -> bool:
    """Leave the tables of PostGIS and of the queue alone: their own installers made them."""
    if name is not None and name.startswith("pgqueuer"):
        return False
    told = alembic_helpers.include_object(item, name, kind, reflected, compare_to)  # type: ignore[no-untyped-call]
    return bool(told)


OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_object": include_object,
    "render_item": alembic_helpers.render_item,
    "process_revision_directives": alembic_helpers.writer,
    **VERSION_TABLE,
    "compare_type": True,
    "transaction_per_migration": True,
}


def run_online(connection: Connection) -> None:
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()
else:
    run_online(context.config.attributes["connection"])
