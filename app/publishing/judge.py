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

ONCE_THERE = "SELECT DISTINCT path FROM release_pages WHERE path = ANY($1::text[]) AND blob IS NOT NULL"


class Verdict(msgspec.Struct, frozen=True):
    errors: tuple[str, ...]
    """Whole sentences, each with the page it speaks of. One is enough to stop the release."""
    warnings: tuple[str, ...]


class _Linked(msgspec.Struct, gc=False):
    """What is known of one path that pages made anew link to."""

    page: str
    """The first of them, in the order of the paths; the 404 page only if there is no other."""
    others: int
    is_new: bool
    """A page did not link to it in the base: it has to be looked for."""
    shown_by: str | None
    """The first page that links to it from a row, and not in the words of an editor."""


class _DeadEnd(msgspec.Struct, frozen=True):
    """A link, on one page or several, to what is gone or never was."""

    page: str
    others: int
    target: str
    entry: Entry | None


class Judge:
    """Collects what is found while pages are made. Holds a few bytes for each path that is linked to."""

    def __init__(
        self,
        base: Manifest,
        plan: Plan,
        *,
        base_url: str,
        hidden: Sequence[Hidden],
        dynamic: Collection[str],
        tombstones: Collection[str],
    ) -> None:
        """`dynamic` holds beginnings of paths that something else than the release answers."""
        self._base = base
        self._plan = plan
        self._base_url = base_url
        self._hidden = hidden
        self._dynamic = tuple(dynamic)
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
            found.page, found.others = _example(path, found.page), found.others + 1
            found.is_new = found.is_new or is_new

    def _show(self, path: str, target: str) -> None:
        """What a feed names is looked for where a full plan reads the whole manifest anyway."""
        found = self._linked.setdefault(target, _Linked(path, 0, self._plan.is_full, None))
        found.shown_by = _example(path, found.shown_by or path)

    async def verdict(self, content: Content, changes: Mapping[str, Change]) -> Verdict:
        """When everything is made: `changes` is all in which the new manifest differs from the base."""
        withheld = await self._withheld(content, changes)
        ends = await to_thread.run_sync(
            lambda: [*self._dead_ends(changes, withheld), *self._left_behind(changes)]
        )
        once = await _once_there(content, [end.target for end in ends if end.entry is None])
        errors = [*self._errors, *self._seen(changes, withheld)]
        warnings = list(self._warnings)
        for end in ends:
            is_error = end.entry is None and not self._is_forgiven(end, once, changes)
            (errors if is_error else warnings).append((end.page, self._sentence(end, once, changes)))
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

    def _seen(self, changes: Mapping[str, Change], withheld: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """What must not be seen, and would be: as a page, or as a row of a list."""
        for path, why in withheld.items():
            entry, linked = self._now(path, changes), self._linked.get(path)
            if entry is not None and entry.status == 200:
                yield path, f"would be shown, and must not be: {why}"
            if linked is not None and linked.shown_by and (entry is None or entry.status != 301):
                yield linked.shown_by, f"lists {path}, which must not be seen: {why}"

    def _dead_ends(self, changes: Mapping[str, Change], withheld: Mapping[str, str]) -> Iterator[_DeadEnd]:
        """Links of pages made anew. One that the base had leads to what it led to, unless that changes."""
        for target, linked in self._linked.items():
            is_old = not linked.is_new and target not in changes and f"{target}/" not in changes
            is_told = target in withheld and linked.shown_by is not None
            if is_old or is_told or self._is_dynamic(target):
                continue
            entry = self._meant(target, changes)
            if entry is None or entry.status == 410:
                yield _DeadEnd(linked.page, linked.others, target, entry)

    def _left_behind(self, changes: Mapping[str, Change]) -> Iterator[_DeadEnd]:
        """Pages that stay as they are, and link to what goes away with this release."""
        gone = {path for path in changes if self._went(path, changes)}
        if not gone:
            return
        names = gone | {path.removesuffix("/") for path in gone if path != "/"}
        leading: dict[str, list[str]] = {}
        for path, entry in self._base.scan(names):
            if path in changes or entry.status not in (200, 301, 404):
                continue
            for target in names.intersection(self._links_of(path, entry)):
                leading.setdefault(target, []).append(path)
        for target, pages in leading.items():
            meant = self._meant(target, changes)
            if meant is None or meant.status == 410:
                yield _DeadEnd(_example(*pages), len(pages) - 1, target, meant)

    def _went(self, path: str, changes: Mapping[str, Change]) -> bool:
        old, new = self._base.get(path), changes[path]
        was_there = old is not None and old.status != 410
        return was_there and (new is None or new.status == 410)

    def _is_forgiven(self, end: _DeadEnd, once: Collection[str], changes: Mapping[str, Change]) -> bool:
        """A path that never was is a mistake. What is gone must not keep anybody from unpublishing."""
        return end.target in self._tombstones or end.target in once or self._is_redirect(end.page, changes)

    def _sentence(self, end: _DeadEnd, once: Collection[str], changes: Mapping[str, Change]) -> str:
        verb = "leads" if self._is_redirect(end.page, changes) else "links"
        is_gone = end.entry is not None or end.target in once
        state = "is gone" if is_gone else "does not exist"
        if end.target in self._tombstones:
            state = "was taken down"
        told = f"{verb} to {end.target}, which {state}"
        if end.page == NOT_FOUND_PATH:
            told += " (as every page does if it stands in the navigation)"
        if end.others:
            told += f"; {end.others:,} other page{' does' if end.others == 1 else 's do'} so too"
        return f"{told}."

    def _is_redirect(self, path: str, changes: Mapping[str, Change]) -> bool:
        entry = self._now(path, changes)
        return entry is not None and entry.status == 301

    def _is_dynamic(self, path: str) -> bool:
        return any(path == beginning or path.startswith(f"{beginning}/") for beginning in self._dynamic)

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


def _example(*pages: str) -> str:
    """The links of the shell stand at the 404 page alone, so that another page tells more."""
    return min(pages, key=lambda page: (page == NOT_FOUND_PATH, page))


async def _once_there(content: Content, targets: Sequence[str]) -> set[str]:
    """Those that an earlier release had: gone, even where the store that remembered it was lost."""
    if not targets:
        return set()
    known = {variant: target for target in targets for variant in (target, f"{target}/")}
    rows = await content.connection.fetch(ONCE_THERE, list(known))
    return {known[row["path"]] for row in rows}


def _told(found: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{path} {sentence}" for path, sentence in sorted(set(found)))
