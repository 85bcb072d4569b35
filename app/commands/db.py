"""`hustings db`: the database's address, its roles and its schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

import rich_click as click

from app.commands.context import command_settings, database, notice, owner_url, with_urls
from app.commands.groups import Group
from app.database import migrations
from app.database.cluster import Role, is_running, running_cluster
from app.database.provision import provision, provision_sql
from app.errors import ConfigurationError, Forbidden
from app.settings import Settings


@click.group("db", cls=Group)
def db() -> None:
    """The database: its address, its roles, its schema."""


@db.command("url")
@click.option("--role", type=click.Choice(get_args(Role)), default="app", show_default=True)
def url(role: Role) -> None:
    """Print a connection URL, for psql."""
    settings = command_settings()
    if settings.database_url is not None:
        click.echo(configured_url(settings, role))
        return
    runs = is_running(settings.data)
    with running_cluster(settings.data, say=notice) as cluster:
        click.echo(cluster.url(role))
    if not runs:
        notice("Nobody answers there now: the database runs while `hustings up` or another command does.")


@contextmanager
def _schema() -> Iterator[Settings]:
    """As `database`, but the schema is left as it stands: a private database is only provisioned."""
    settings = command_settings()
    if settings.database_url is not None:
        with database(settings) as ready:
            yield ready
        return
    with running_cluster(settings.data, say=notice) as cluster:
        provision(cluster.url("superuser", "postgres"))
        yield with_urls(settings, cluster)


def configured_url(settings: Settings, role: Role) -> str | None:
    """The URL of `role` at a database that is not ours. Raises ConfigurationError when it is not known."""
    if role == "app":
        return settings.database_url
    if role == "owner":
        return owner_url(settings)
    raise ConfigurationError(
        f"HUSTINGS_DATABASE_URL is set, so the URL of the role {role} is only known to who runs that server."
    )


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the schema to REVISION, or to the newest."""
    with _schema() as settings:
        migrations.upgrade(owner_url(settings), revision)
        click.echo(migrations.current(owner_url(settings)))


@db.command("downgrade")
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Take the schema back to REVISION (`base` for none). For development: it deletes what was added."""
    settings = command_settings()
    if settings.is_production:
        raise Forbidden("Production migrates forward only. Restore a backup instead.")
    with _schema() as settings:
        migrations.downgrade(owner_url(settings), revision)
        click.echo(migrations.current(owner_url(settings)) or "base")


@db.command("current")
def current() -> None:
    """Print the revision at which the schema stands."""
    with _schema() as settings:
        click.echo(migrations.current(owner_url(settings)) or "base")


@db.command("provision")
@click.option(
    "--superuser-url", metavar="URL", help="Do it, as this superuser. Without it the SQL is printed."
)
@click.option("--database", "name", default="hustings", show_default=True)
def make_roles(superuser_url: str | None, name: str) -> None:
    """Make the roles, the database, its extensions and privileges, or print the SQL that does."""
    if superuser_url is None:
        click.echo(provision_sql(name))
    else:
        provision(superuser_url, name)
        notice(f"The database {name} is ready for `hustings db upgrade`.")
