"""Freezing the content of a site, and reading what has changed since another freeze."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec

from app.database.engine import Connection, site_transaction
from app.publishing.kinds import Change, Changes, Content

# The system identifier tells a restored copy from its original: transaction ids mean nothing across them.
FREEZE = """
SELECT pg_current_snapshot()::text AS snapshot,
       (SELECT system_identifier FROM pg_control_system())::text || '/' || oid AS database_id
  FROM pg_database WHERE datname = current_database()
"""
# A transaction that committed late is not visible in the older snapshot, however low its id.
CHANGED = """
SELECT table_name, row_id, action, facts
  FROM content_changes
 WHERE transaction_id >= pg_snapshot_xmin($1::text::pg_snapshot)
   AND NOT pg_visible_in_snapshot(transaction_id, $1::text::pg_snapshot)
"""
CHANGED_TABLES = CHANGED.replace("table_name, row_id, action, facts", "DISTINCT table_name")


@asynccontextmanager
async def freeze(connection: Connection, site_id: UUID, now: datetime) -> AsyncIterator[Content]:
    """A repeatable-read view of one site for as long as the block lasts."""
    async with site_transaction(connection, site_id, isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(FREEZE)
        assert row is not None  # noqa: S101 - the current database is always in pg_database
        yield Content(
            connection=connection,
            site_id=site_id,
            frozen_at=now,
            snapshot=row["snapshot"],
            database_id=row["database_id"],
        )


async def changes_since(content: Content, snapshot: str, since: datetime) -> Changes:
    """All that is visible now and was not visible in `snapshot`."""
    rows = await content.connection.fetch(CHANGED, snapshot)
    return Changes([_change(*row) for row in rows], since=since)


async def changed_tables(content: Content, snapshot: str) -> set[str]:
    """The tables of what `changes_since` gives."""
    return {row["table_name"] for row in await content.connection.fetch(CHANGED_TABLES, snapshot)}


def _change(table: str, row_id: UUID, action: str, facts: str) -> Change:
    known = msgspec.json.decode(facts)
    return Change(table, row_id, action, known.get("old", {}), known.get("new", {}))
