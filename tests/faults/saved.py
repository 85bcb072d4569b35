"""The state of a database and of a store, saved once and brought back before each fault."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg

from app.storage.store import ObjectStore
from tests.conftest import Database

TABLES = """
SELECT c.relname AS name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
   AND a.attgenerated = ''
   AND EXISTS (SELECT FROM pg_attribute s WHERE s.attrelid = c.oid
                  AND (s.attname = 'site_id' OR (c.relname = 'sites' AND s.attname = 'slug')))
 GROUP BY c.relname
"""
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"


class Saved:
    """The rows of every table that belongs to sites, the log of changes among them."""

    def __init__(self, superuser: Any) -> None:
        self.superuser = superuser
        self._restore = ""

    async def save(self) -> None:
        tables = await self.superuser.fetch(TABLES)
        await self.superuser.execute("DROP SCHEMA IF EXISTS saved CASCADE; CREATE SCHEMA saved")
        statements = ["SET session_replication_role = replica"]
        for name, columns in tables:
            await self.superuser.execute(f"CREATE TABLE saved.{name} AS SELECT {columns} FROM {name}")
            statements.append(f"DELETE FROM {name}")
            statements.append(
                f"INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM saved.{name}"
            )
        self._restore = "; ".join(statements)

    async def bring_back(self) -> None:
        """Nobody else may be at work."""
        await self.superuser.execute(self._restore)

    async def is_busy(self, name: str) -> bool:
        """Whether the server still works for a client of this name."""
        return bool(await self.superuser.fetchval(BUSY, name))


async def superuser_of(database: Database) -> Any:
    return await asyncpg.connect(database.url("superuser"))


class SavedFolder:
    """The folder of a store."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._copy = store.with_name(f"{store.name}.saved")
        _copy(store, self._copy)

    def bring_back(self) -> None:
        _copy(self._copy, self._store)


class SavedBucket:
    """What a bucket holds, when a publish adds objects and writes over pointers."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._keys = {stored.key for stored in store.list("")}
        self._pointers = {key: store.get(key) for key in self._keys if key.startswith("live/")}

    def bring_back(self) -> None:
        added = [stored.key for stored in self._store.list("") if stored.key not in self._keys]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(self._store.delete, added))
        for key, body in self._pointers.items():
            self._store.put(key, body, content_type="application/json")


def _copy(source: Path, target: Path) -> None:
    """Objects are written once, so that a second name is a copy; only pointers are written over."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=os.link)
    for pointer in (target / "live").glob("*"):
        body = pointer.read_bytes()
        pointer.unlink()
        pointer.write_bytes(body)
