"""Flips of the pointer as the database knows them, and the jobs that follow each.

The job is enqueued by the transaction that records the flip: none is lost, and none is sent for a flip that
did not happen.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from app.database.engine import Connection
from app.jobs.job import SiteJob
from app.jobs.queue import enqueue

MEMORY = timedelta(days=1)
"""For so long a purge that failed is made up for by those that follow; no cache holds a page for longer."""

WAITING = """
SELECT f.generation, r.number, r.root_key, f.replaced_root, f.purge
  FROM flips f JOIN releases r ON r.site_id = f.site_id AND r.id = f.release_id
 WHERE f.purge = 'pending' OR f.generation = $1 OR f.purge = 'failed' AND f.flipped_at > $2
 ORDER BY f.generation
"""
ONE = """
SELECT f.generation, r.number, r.root_key, f.replaced_root, f.purge
  FROM flips f JOIN releases r ON r.site_id = f.site_id AND r.id = f.release_id
 WHERE f.generation = $1
"""
PURGED = """
UPDATE flips SET purge = $2, purge_note = $3, purged_at = $4 WHERE generation = ANY($1::bigint[])
"""
SAMPLED = """
UPDATE flips SET sample = $2, sample_note = $3, findings = $4::jsonb, sampled_at = $5 WHERE generation = $1
"""
OUTRUN = """
UPDATE flips SET sample = 'skipped', sample_note = 'A newer release went live before it was looked at.'
 WHERE generation < $1 AND sample = 'pending'
"""

FOLLOW_UP = """CASE WHEN f.generation IS NOT NULL THEN json_build_object(
  'purge', f.purge, 'purge_note', f.purge_note,
  'sample', f.sample, 'sample_note', f.sample_note, 'findings', f.findings)::text END"""
"""A column of `flips f`, for `FollowUp.decode`."""
OF_RELEASE = f"""
SELECT {FOLLOW_UP} FROM flips f JOIN releases r ON r.site_id = f.site_id AND r.id = f.release_id
 WHERE r.number = $1 ORDER BY f.generation DESC LIMIT 1
"""

Purge = Literal["pending", "done", "failed", "skipped"]
Sample = Literal["pending", "same", "different", "skipped"]


class PurgeFlips(SiteJob, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Purge what the flips of a site changed that were not purged yet, then look at a sample of its pages."""

    name: ClassVar[str] = "flips.purge"
    again: int = 0
    """A generation that is to be purged though it was before; 0: none."""


class SampleFlip(SiteJob, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fetch some pages through the public address and compare them with the release."""

    name: ClassVar[str] = "flips.sample"
    generation: int
    turn: int = 1


class Flip(msgspec.Struct, frozen=True):
    generation: int
    number: int
    """Of the release that went live."""
    root: str
    replaced_root: str | None
    purge: Purge


class FollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """What followed a flip, for people."""

    purge: Purge
    purge_note: str
    sample: Sample
    sample_note: str
    findings: tuple[str, ...]

    @classmethod
    def decode(cls, told: str | None) -> "FollowUp | None":
        return None if told is None else msgspec.json.decode(told, type=cls)

    @property
    def is_over(self) -> bool:
        return "pending" not in (self.purge, self.sample)

    @property
    def lines(self) -> list[str]:
        """As `releases show` prints it."""
        return [
            f"purge: {self.purge}. {self.purge_note}".rstrip(),
            f"sample: {self.sample}. {self.sample_note}".rstrip(),
            *(f"  {finding}" for finding in self.findings),
        ]


class Sampled(msgspec.Struct, frozen=True):
    """What came of a sample."""

    state: Sample
    note: str
    findings: tuple[str, ...] = ()
    """A sentence for each page that was not as released."""


async def follow_up(connection: Connection, site_id: UUID) -> None:
    """In the transaction that recorded a flip. While a job waits it serves later flips too."""
    await enqueue(connection, PurgeFlips(site_id=site_id), dedupe_key=f"{PurgeFlips.name} {site_id}")


async def sample_later(
    connection: Connection, site_id: UUID, generation: int, turn: int, delay: timedelta | None = None
) -> None:
    await enqueue(connection, SampleFlip(site_id=site_id, generation=generation, turn=turn), delay=delay)


async def waiting_flips(connection: Connection, now: datetime, *, again: int = 0) -> list[Flip]:
    """The oldest first; empty when nothing waits, whatever failed before."""
    found = [Flip(*row) for row in await connection.fetch(WAITING, again, now - MEMORY)]
    is_due = any(flip.purge == "pending" or flip.generation == again for flip in found)
    return found if is_due else []


async def follow_up_of(connection: Connection, number: int) -> FollowUp | None:
    """What followed the latest flip to a release; None when the database knows of none."""
    return FollowUp.decode(await connection.fetchval(OF_RELEASE, number))


async def find_flip(connection: Connection, generation: int) -> Flip | None:
    row = await connection.fetchrow(ONE, generation)
    return Flip(*row) if row else None


async def record_purge(
    connection: Connection, generations: Collection[int], state: Purge, note: str, now: datetime
) -> None:
    await connection.execute(PURGED, list(generations), state, note, None if state == "pending" else now)


async def record_sample(connection: Connection, generation: int, sampled: Sampled, now: datetime) -> None:
    """Older flips that nobody looked at in time are not looked at any more."""
    findings = msgspec.json.encode(sampled.findings).decode()
    await connection.execute(SAMPLED, generation, sampled.state, sampled.note, findings, now)
    await connection.execute(OUTRUN, generation)
