"""Many rows in few statements; rows that are the same already are not written."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from app.database.engine import Connection

CHUNK = 5_000
"""Rows for each statement, so that none runs into the command timeout."""

Row = Mapping[str, Any]


class Cells(Protocol):
    """Values by column: a mapping, or a record that the database gave."""

    def __getitem__(self, name: str, /) -> Any: ...


class Table(msgspec.Struct, frozen=True):
    """How the rows of a table of one site are written."""

    name: str
    key: tuple[str, ...]
    """Columns of the unique index, besides `site_id`."""
    columns: Mapping[str, str]
    """Column to the SQL type that its values are sent as."""
    predicate: str = ""
    """The condition of a partial unique index."""
    expressions: Mapping[str, str] = {}
    """Column to the SQL that makes it from the columns of `given`."""
    unstored: frozenset[str] = frozenset()
    """Columns that only feed expressions."""
    kept: frozenset[str] = frozenset({"id"})
    """Columns that an existing row keeps."""
    of_site: bool = True
    """False for the site's own row, which has no `site_id`."""


class Written(msgspec.Struct):
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0


async def upsert(connection: Connection, site_id: UUID, table: Table, rows: Sequence[Row]) -> Written:
    """Insert what is new, update what differs. The rows hold every column of `table.columns`."""
    written = Written()
    statement = _statement(table)
    for chunk in _chunks(rows):
        values = ([row[column] for row in chunk] for column in table.columns)
        returned = await connection.fetch(statement, *([site_id] if table.of_site else []), *values)
        inserted = sum(row["inserted"] for row in returned)
        written.inserted += inserted
        written.updated += len(returned) - inserted
        written.unchanged += len(chunk) - len(returned)
    return written


async def remove_others(
    connection: Connection, table: str, keep: Sequence[UUID], condition: str = "true"
) -> int:
    """Delete the site's rows that are not in `keep`; row level security holds it to the site."""
    status = await connection.execute(
        f"DELETE FROM {table} WHERE {condition} AND id <> ALL ($1::uuid[])", keep
    )
    return int(status.rpartition(" ")[2])


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


def _statement(table: Table) -> str:
    given = ", ".join(table.columns)
    first = 2 if table.of_site else 1
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(table.columns.values(), first))
    stored = [column for column in table.columns if column not in table.unstored]
    stored += [column for column in table.expressions if column not in stored]
    made = ", ".join(table.expressions.get(column, f"given.{column}") for column in stored)
    changing = [column for column in stored if column not in table.kept and column not in table.key]
    where = f" WHERE {table.predicate}" if table.predicate else ""
    site = "site_id, " if table.of_site else ""
    return f"""
        INSERT INTO {table.name} AS old ({site}{", ".join(stored)})
        SELECT {"$1::uuid, " if table.of_site else ""}{made} FROM unnest({arrays}) AS given({given})
        ON CONFLICT ({site}{", ".join(table.key)}){where} DO UPDATE
        SET {", ".join(f"{column} = excluded.{column}" for column in changing)}
        WHERE ({", ".join(f"old.{column}" for column in changing)})
          IS DISTINCT FROM ({", ".join(f"excluded.{column}" for column in changing)})
        RETURNING old.xmax = 0 AS inserted"""
