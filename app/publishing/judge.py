"""Whether a release may go live: what its pages say of themselves, held against the new manifest.

Looked at are the pages that were made anew, and of the others those that link to a path which goes away. That
is enough: no release goes live with an error, so a page that is the same, and whose links lead to what is
there still, has none either. A publish that makes every page anew therefore finds the same errors as one that
makes few. Warnings are told when they come up: with the page that was made, or with what it links to.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
from anyio import to_thread

from app.errors import PublishError
from app.publishing.checks import PageFacts
from app.publishing.kinds import Content, Hidden
from app.publishing.links import Fragment, target_of
from app.publishing.manifest import NOT_FOUND_PATH, Change, Entry, Manifest
from app.publishing.plan import Plan

MOST_TOLD = 20
"""So many errors are written out; the others are counted."""
JUMP = 4
"""A page that grows or shrinks by this factor is worth a look, if it is by more than SMALL bytes."""
SMALL = 4_000


class Verdict(msgspec.Struct, frozen=True):
    errors: tuple[str, ...]
    """Whole sentences, each with the page it speaks of. One is enough to stop the release."""
    warnings: tuple[str, ...]


class _Linked(msgspec.Struct, gc=False):
    """What is known of one path that pages made anew link to."""

    page: str
    """The first of them, in the order of the paths."""
    others: int
    is_new: bool
    """A page did not link to it in the base: it has to be looked for."""
    shown_by: str | None
    """The first page that links to it from a row, and not in the words of an editor."""


class Judge:
    """Collects what is found while pages are made. Holds a few bytes for each path that is linked to."""

    def __init__(
        self,
        base: Manifest,
        plan: Plan,
        *,
        base_url: str,
        hidden: Sequence[Hidden],
        elsewhere: Collection[str],
        tombstones: Collection[str],
    ) -> None:
        """`elsewhere` holds beginnings of paths that something else than the release answers."""
        self._base = base
        self._plan = plan
        self._base_url = base_url
        self._hidden = hidden
        self._elsewhere = tuple(elsewhere)
        self._tombstones = tombstones
        self._linked: dict[str, _Linked] = {}
        self._errors: list[tuple[str, str]] = []
        self._warnings: list[tuple[str, str]] = []

    def add(self, path: str, entry: Entry, facts: PageFacts | None) -> None:
        """A path that was made anew."""
        old = self._base.get(path)
        if entry.location is not None:
            self._link(path, self._leads_to(path, entry.location), old)
        if facts is None:
            return
        self._errors += ((path, problem) for problem in facts.errors)
        self._warnings += ((path, doubt) for doubt in facts.warnings)
        self._warnings += ((path, doubt) for doubt in _jump(old, entry))
        self._link(path, facts.links, old)
        for target in facts.shown:
            self._show(path, target)

    def _links_of(self, path: str, entry: Entry | None) -> tuple[str, ...]:
        if entry is None:
            return ()
        return entry.links if entry.location is None else self._leads_to(path, entry.location)

    def _leads_to(self, path: str, location: str) -> tuple[str, ...]:
        target = target_of(location, path, self._base_url)
        return () if target is None or isinstance(target, Fragment) else (target,)

    def _link(self, path: str, targets: Sequence[str], old: Entry | None) -> None:
        known = self._links_of(path, old)
        for target in targets:
            is_new = target not in known
            found = self._linked.get(target)
            if found is None:
                self._linked[target] = _Linked(path, 0, is_new, None)
                continue
            found.page, found.others = min(path, found.page), found.others + 1
            found.is_new = found.is_new or is_new

    def _show(self, path: str, target: str) -> None:
        """What a feed names is looked for where a full plan reads the whole manifest anyway."""
        found = self._linked.setdefault(target, _Linked(path, 0, self._plan.is_full, None))
        found.shown_by = min(path, found.shown_by or path)

    async def verdict(self, content: Content, changes: Mapping[str, Change]) -> Verdict:
        """When everything is made: `changes` is all in which the new manifest differs from the base."""
        errors, warnings = list(self._errors), list(self._warnings)
        withheld = await self._withheld(content, changes)
        looked_at = await to_thread.run_sync(lambda: list(self._faults(changes, withheld)))
        looked_at += await to_thread.run_sync(lambda: list(self._left_behind(changes)))
        for path, sentence, is_error in looked_at:
            (errors if is_error else warnings).append((path, sentence))
        return Verdict(_told(errors), _told(warnings))

    async def _withheld(self, content: Content, changes: Mapping[str, Change]) -> dict[str, str]:
        """Of all paths that this release touches or newly links to, those that must not show, and why."""
        asked = {path for paths in self._plan.candidates.values() for path in paths}
        asked |= changes.keys()
        asked |= {target for target, linked in self._linked.items() if linked.is_new}
        found: dict[str, str] = {}
        for hidden in self._hidden:
            rows = hidden.of(self._plan.changes) if self._plan.changes else ()
            found |= await hidden.among(content, asked.union(rows))
        return found

    def _faults(
        self, changes: Mapping[str, Change], withheld: Mapping[str, str]
    ) -> Iterator[tuple[str, str, bool]]:
        for path, why in withheld.items():
            entry = self._now(path, changes)
            if entry is not None and entry.status == 200:
                yield path, f"would show what must not be seen: {why}", True
        for target, linked in self._linked.items():
            is_same = not linked.is_new and target not in changes and target not in withheld
            if is_same or self._is_elsewhere(target):
                continue
            entry = self._meant(target, changes)
            if linked.shown_by and target in withheld and (entry is None or entry.status != 301):
                yield linked.shown_by, f"lists {target}, which must not be seen: {withheld[target]}", True
            else:
                yield from self._judged(linked.page, linked.others, target, entry, changes)

    def _left_behind(self, changes: Mapping[str, Change]) -> Iterator[tuple[str, str, bool]]:
        """Pages that stay as they are, and link to what goes away with this release."""
        gone = {path for path in changes if self._went(path, changes)}
        if not gone:
            return
        names = gone | {path.removesuffix("/") for path in gone if path != "/"}
        leading: dict[str, list[str]] = {}
        for path, entry in self._base.scan(names):
            if path in changes or entry.status not in (200, 301, 404):
                continue
            for target in self._links_of(path, entry):
                if target in names:
                    leading.setdefault(target, []).append(path)
        for target, pages in leading.items():
            meant = self._meant(target, changes)
            yield from self._judged(min(pages), len(pages) - 1, target, meant, changes)

    def _went(self, path: str, changes: Mapping[str, Change]) -> bool:
        old, new = self._base.get(path), changes[path]
        was_there = old is not None and old.status != 410
        return was_there and (new is None or new.status == 410)

    def _judged(
        self, page: str, others: int, target: str, entry: Entry | None, changes: Mapping[str, Change]
    ) -> Iterator[tuple[str, str, bool]]:
        """A path that never was is a mistake. One that is gone must not keep anybody from unpublishing."""
        if entry is not None and entry.status != 410:
            return
        is_down = target in self._tombstones
        state = "was taken down" if is_down else "does not exist" if entry is None else "is gone"
        leading = self._now(page, changes)
        is_redirect = leading is not None and leading.status == 301
        sentence = f"{'leads' if is_redirect else 'links'} to {target}, which {state}"
        if page == NOT_FOUND_PATH:
            sentence += " (as every page does if it stands in the navigation)"
        if others:
            sentence += f"; {others} other page{' does' if others == 1 else 's do'} so too"
        yield page, f"{sentence}.", entry is None and not is_down and not is_redirect

    def _is_elsewhere(self, path: str) -> bool:
        return any(path == beginning or path.startswith(f"{beginning}/") for beginning in self._elsewhere)

    def _now(self, path: str, changes: Mapping[str, Change]) -> Entry | None:
        return changes[path] if path in changes else self._base.get(path)

    def _meant(self, target: str, changes: Mapping[str, Change]) -> Entry | None:
        """The gateway forgives a slash that was left out."""
        return self._now(target, changes) or self._now(f"{target}/", changes)


def refuse(errors: Sequence[str]) -> None:
    """Raises PublishError that tells them all, or as many as anybody reads."""
    if errors:
        count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
        raise PublishError("\n".join([f"Nothing went live because of {count}:", *shortened(errors)]))


def shortened(sentences: Sequence[str]) -> list[str]:
    told = [f"- {sentence}" for sentence in sentences[:MOST_TOLD]]
    more = len(sentences) - MOST_TOLD
    return [*told, f"and {more} more"] if more > 0 else told


def _jump(old: Entry | None, new: Entry) -> Iterator[str]:
    if old is None or (old.status, new.status) != (200, 200):
        return
    less, more = sorted((old.size, new.size))
    if more - less > SMALL and more >= less * JUMP:
        how = "grows" if new.size > old.size else "shrinks"
        yield f"{how} from {old.size:,} to {new.size:,} bytes."


def _told(found: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{path} {sentence}" for path, sentence in sorted(set(found)))
