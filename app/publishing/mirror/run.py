"""Copying the live release into a folder or a bucket: file by file, in groups, and resumable at any point."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import msgspec
from anyio import CapacityLimiter, create_task_group, to_thread

from app.errors import AppError
from app.kit.clock import Clock
from app.publishing.mirror.journal import (
    DOING,
    JOURNAL,
    Doing,
    Journal,
    read_doing,
    read_journal,
    write_note,
)
from app.publishing.mirror.plan import DELETIONS, Plan, make_plan
from app.publishing.mirror.source import (
    Live,
    MirrorRefused,
    Placed,
    body_of,
    buried,
    cache_control,
    is_body,
    is_over,
    read_live,
    retained,
    wanted,
)
from app.publishing.pointer import read_pointer
from app.publishing.report import Reporter
from app.storage.facade import AsyncStore
from app.storage.web import Lease, WebFile, WebPlace

T = TypeVar("T")
THREADS = 16


class Mirrored(msgspec.Struct, frozen=True, kw_only=True):
    """What `hustings releases mirror --json` prints. Counts are of files."""

    site: str
    release: int
    target: str
    uploaded: int
    deleted: int
    unchanged: int
    kept: int
    """Assets that no page of the release needs, kept for pages that are still open."""
    seconds: float
    newer: int | None
    """A release that went live meanwhile and is not mirrored yet."""


class MirrorInterrupted(AppError):
    """The run failed midway; running it again goes on where it stopped."""

    status = 503
    title = "The mirror is unfinished"


class Progress(msgspec.Struct):
    groups: list[str]
    uploaded: int = 0
    deleted: int = 0


class Mirror:
    """One run over one place. `concurrency` is how many files go up at a time."""

    def __init__(
        self,
        store: AsyncStore,
        site_id: str,
        place: WebPlace,
        *,
        clock: Clock,
        report: Reporter,
        concurrency: int = THREADS,
    ) -> None:
        self._store = store
        self._site_id = site_id
        self._place = place
        self._clock = clock
        self._report = report
        self._limiter = CapacityLimiter(concurrency)
        self._done = Progress([])
        self._started = time.monotonic()

    async def run(self) -> Mirrored:
        """Raises MirrorRefused, NameRefused, Taken before anything changed, MirrorInterrupted midway."""
        live = await self._read_live()
        journal, doing = await self._notes()
        self._check_site(journal, doing)
        if journal is not None and doing is None and self._is_current(journal, live):
            return await self._outcome(journal, live)
        lease = await self._run(self._place.lease)
        try:
            return await self._alone(lease)
        finally:
            await self._run(lease.release)

    async def _alone(self, lease: Lease) -> Mirrored:
        """What another run did until it let the lease go is seen from here."""
        live = await self._read_live()
        journal, doing = await self._notes()
        self._check_site(journal, doing)
        if journal is None and doing is None:
            await self._check_empty()
        old = dict(journal.files) if journal else {}
        if doing is not None:
            self._report.note(
                f"The mirror of release {doing.number} was cut short. Looking at what is there."
            )
            await self._survey(old, doing)
        new = self._files(old, live)
        plan = make_plan(old, new, has_folders=self._place.has_folders)
        after = _journal(live, new)
        if plan.total or doing is not None or journal != after:
            await self._carry_out(plan, live, new, lease)
            await self._run(partial(write_note, self._place.notes, JOURNAL, after))
            await self._run(partial(self._place.notes.delete, DOING))
        return await self._outcome(after, live)

    def _files(self, old: dict[str, Placed], live: Live) -> dict[str, Placed]:
        today = self._clock().date()
        files = wanted(live, today, has_folders=self._place.has_folders)
        return files | retained(old, files, buried(live), today)

    def _is_current(self, journal: Journal, live: Live) -> bool:
        today = self._clock().date()
        is_same = (journal.root, journal.generation) == (live.pointer.root, live.pointer.generation)
        return is_same and not any(is_over(file.gone_on, today) for file in journal.files.values())

    async def _carry_out(self, plan: Plan, live: Live, new: dict[str, Placed], lease: Lease) -> None:
        doing = Doing(
            site_id=self._site_id,
            number=live.root.number,
            put={name: new[name] for step in plan.uploads for name in step.names},
            delete=[*plan.room, *plan.delete],
            began_at=self._clock(),
        )
        await self._run(partial(write_note, self._place.notes, DOING, doing))
        try:
            await self._delete(plan.room, lease)
            for step in plan.uploads:
                await self._upload(step.group, step.names, live, new, lease)
            await self._delete(plan.delete, lease)
        except AppError as error:
            raise MirrorInterrupted(f"{error.detail} {self._so_far(plan, live)}") from error
        except BaseException:
            self._report.note(f"Stopped. {self._so_far(plan, live)}")
            raise

    async def _upload(
        self, group: str, names: Sequence[str], live: Live, new: dict[str, Placed], lease: Lease
    ) -> None:
        """The barrier: when this returns, every file of the group is where readers find it."""

        def upload(name: str) -> None:
            lease.keep()
            self._place.put(_file(name, new[name], self._store, live.root.base_url))
            self._done.uploaded += 1

        self._report.step(f"Uploading {group}", len(names))
        await self._each(upload, names)
        await self._run(partial(self._place.settle, names))
        self._done.groups.append(group)

    async def _delete(self, names: Sequence[str], lease: Lease) -> None:
        def delete(name: str) -> None:
            lease.keep()
            self._place.delete(name)
            self._done.deleted += 1

        if names:
            self._report.step(f"Deleting ({DELETIONS})", len(names))
            await self._each(delete, names)

    async def _survey(self, files: dict[str, Placed], doing: Doing) -> None:
        """Brings `files` into line with what an unfinished run left: the place is believed, not the plan."""
        names = sorted({*doing.put, *doing.delete})
        self._report.step("Looking at what is there", len(names))

        def look(name: str) -> None:
            meant, before = doing.put.get(name), files.get(name)
            found = next((file for file in (meant, before) if file and self._holds(name, file)), None)
            if found is None:
                files.pop(name, None)
            else:
                files[name] = found

        await self._each(look, names)

    def _holds(self, name: str, file: Placed) -> bool:
        return self._place.holds(name, file.mark, partial(is_body, file))

    async def _each(self, function: Callable[[str], None], names: Iterable[str]) -> None:
        """In threads; the first failure stops what has not begun, and is raised."""
        failures: list[AppError] = []

        async def one(name: str) -> None:
            try:
                if not failures:
                    await self._run(partial(function, name))
                    self._report.advance(1)
            except AppError as error:
                failures.append(error)

        for batch in _batches(list(names), 1_000):
            async with create_task_group() as tasks:
                for name in batch:
                    tasks.start_soon(one, name)
            if failures:
                raise failures[0]

    async def _read_live(self) -> Live:
        return await self._store.run(partial(read_live, self._store.store, self._site_id))

    async def _notes(self) -> tuple[Journal | None, Doing | None]:
        notes = self._place.notes
        return await self._run(partial(read_journal, notes)), await self._run(partial(read_doing, notes))

    def _check_site(self, journal: Journal | None, doing: Doing | None) -> None:
        others = {note.site_id for note in (journal, doing) if note is not None} - {self._site_id}
        if others:
            name = journal.slug if journal else others.pop()
            raise MirrorRefused(f"{self._place!r} is the mirror of the site {name}. Each site needs its own.")

    async def _check_empty(self) -> None:
        if not await self._run(self._place.is_empty):
            raise MirrorRefused(
                f"{self._place!r} holds files that no mirror put there. Give the mirror an empty place, or "
                "empty this one."
            )

    async def _outcome(self, journal: Journal, live: Live) -> Mirrored:
        now = await self._store.run(partial(read_pointer, self._store.store, self._site_id))
        is_newer = now is not None and now[0].generation > live.pointer.generation
        newer = now[0].number if now is not None and is_newer else None
        if newer is not None:
            self._report.note(f"Release {newer} went live meanwhile. Run the mirror again for it.")
        kept = sum(file.gone_on is not None for file in journal.files.values())
        return Mirrored(
            site=live.root.slug,
            release=live.root.number,
            target=repr(self._place),
            uploaded=self._done.uploaded,
            deleted=self._done.deleted,
            unchanged=len(journal.files) - self._done.uploaded,
            kept=kept,
            seconds=round(time.monotonic() - self._started, 3),
            newer=newer,
        )

    def _so_far(self, plan: Plan, live: Live) -> str:
        groups = ", ".join(self._done.groups) or "none"
        return (
            f"{self._done.uploaded + self._done.deleted} of {plan.total} files of release {live.root.number} "
            f"are done (whole groups: {groups}). The mirror shows the old release with parts of the new one, "
            "and no page leads to what is missing. Run the same command again: it goes on from there."
        )

    async def _run(self, function: Callable[[], T]) -> T:
        return await to_thread.run_sync(function, limiter=self._limiter)


def _journal(live: Live, files: dict[str, Placed]) -> Journal:
    return Journal(
        site_id=live.root.site_id,
        slug=live.root.slug,
        number=live.root.number,
        generation=live.pointer.generation,
        root=live.pointer.root,
        files=dict(sorted(files.items())),
    )


def _file(name: str, placed: Placed, store: AsyncStore, base_url: str) -> WebFile:
    return WebFile(
        name=name,
        body=body_of(store.store, placed, base_url),
        content_type=placed.content_type,
        cache_control=cache_control(placed),
        location=placed.location,
        mark=placed.mark,
    )


def _batches(names: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))
