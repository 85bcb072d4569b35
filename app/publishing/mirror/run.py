"""Copying the live release into a folder or a bucket: file by file, in groups, and resumable at any point."""

import time
from collections.abc import Sequence
from functools import partial

from anyio import CancelScope

from app.errors import AppError
from app.kit.clock import Clock
from app.publishing.mirror.journal import (
    DOING,
    JOURNAL,
    Doing,
    Journal,
    journal_of,
    read_doing,
    read_journal,
    write_note,
)
from app.publishing.mirror.outcome import Mirrored, MirrorInterrupted, Progress
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
    newer_than,
    read_live,
    retained,
    wanted,
)
from app.publishing.mirror.threads import THREADS, Threads
from app.publishing.report import Reporter
from app.storage.facade import AsyncStore
from app.storage.web import Lease, WebFile, WebPlace


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
        self._threads = Threads(report, concurrency)
        self._done = Progress([])
        self._started = time.monotonic()

    async def run(self) -> Mirrored:
        """Raises MirrorRefused, NameRefused, Taken before anything changed, MirrorInterrupted midway."""
        live = await self._read_live()
        journal, doing = await self._notes()
        self._check_site(journal, doing)
        if journal is not None and doing is None and self._is_current(journal, live):
            return await self._outcome(journal, live)
        lease = await self._threads.run(self._place.lease)
        try:
            return await self._alone(lease)
        finally:
            with CancelScope(shield=True):
                await self._threads.run(lease.release)

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
            await self._survey(old, doing, lease)
        new = self._files(old, live)
        plan = make_plan(old, new, has_folders=self._place.has_folders)
        after = journal_of(live, new)
        if plan.total or doing is not None or journal != after:
            await self._carry_out(plan, live, new, lease)
            await self._threads.run(partial(write_note, self._place.notes, JOURNAL, after))
            await self._threads.run(partial(self._place.notes.delete, DOING))
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
        await self._threads.run(partial(write_note, self._place.notes, DOING, doing))
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
        await self._threads.each(upload, names)
        await self._threads.run(partial(self._place.settle, names))
        self._done.groups.append(group)

    async def _delete(self, names: Sequence[str], lease: Lease) -> None:
        def delete(name: str) -> None:
            lease.keep()
            self._place.delete(name)
            self._done.deleted += 1

        if names:
            self._report.step(f"Deleting ({DELETIONS})", len(names))
            await self._threads.each(delete, names)

    async def _survey(self, files: dict[str, Placed], doing: Doing, lease: Lease) -> None:
        """Brings `files` into line with what an unfinished run left: the place is believed, not the plan."""
        names = sorted({*doing.put, *doing.delete})
        self._report.step("Looking at what is there", len(names))

        def look(name: str) -> None:
            lease.keep()
            meant, before = doing.put.get(name), files.get(name)
            found = next((file for file in (meant, before) if file and self._holds(name, file)), None)
            if found is None:
                files.pop(name, None)
            else:
                files[name] = found

        await self._threads.each(look, names)

    def _holds(self, name: str, file: Placed) -> bool:
        return self._place.holds(name, file.mark, partial(is_body, file))

    async def _read_live(self) -> Live:
        return await self._store.run(partial(read_live, self._store.store, self._site_id))

    async def _notes(self) -> tuple[Journal | None, Doing | None]:
        notes = self._place.notes
        return await self._threads.run(partial(read_journal, notes)), await self._threads.run(
            partial(read_doing, notes)
        )

    def _check_site(self, journal: Journal | None, doing: Doing | None) -> None:
        others = {note.site_id for note in (journal, doing) if note is not None} - {self._site_id}
        if others:
            name = journal.slug if journal else others.pop()
            raise MirrorRefused(f"{self._place!r} is the mirror of the site {name}. Each site needs its own.")

    async def _check_empty(self) -> None:
        if not await self._threads.run(self._place.is_empty):
            raise MirrorRefused(
                f"{self._place!r} holds files that no mirror put there. Give the mirror an empty place, or "
                "empty this one."
            )

    async def _outcome(self, journal: Journal, live: Live) -> Mirrored:
        newer = await newer_than(self._store, live, self._report)
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


def _file(name: str, placed: Placed, store: AsyncStore, base_url: str) -> WebFile:
    return WebFile(
        name=name,
        body=body_of(store.store, placed, base_url),
        content_type=placed.content_type,
        cache_control=cache_control(placed),
        location=placed.location,
        mark=placed.mark,
    )
