"""Which paths a publish has to look at."""

from collections.abc import Collection, Iterable, Mapping

import msgspec
from anyio import to_thread

from app.publishing.content import changes_since
from app.publishing.kinds import Changes, Content, PageKind
from app.publishing.manifest import Entry, Manifest
from app.publishing.releases import LiveRow

PAGE_TYPE = "text/html"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The candidates of each kind, by its name. A candidate that does not exist is a path to take away."""

    is_full: bool
    candidates: dict[str, tuple[str, ...]]
    orphans: tuple[str, ...]
    """Paths of the base that no kind claims any more: in a full plan all, else assets that expired."""
    changes: Changes | None = None
    """What the candidates were found from; None for a full plan."""

    def __len__(self) -> int:
        return sum(len(paths) for paths in self.candidates.values())


async def make_plan(
    content: Content,
    kinds: Iterable[PageKind],
    *,
    base: Manifest,
    live: LiveRow | None,
    recipe: str,
    full: bool,
) -> Plan:
    """Full when asked for, and when nothing sure is known of what the live release was made from."""
    if full or not _is_known(content, live, recipe):
        return await _full_plan(content, kinds, base)
    assert live is not None  # noqa: S101 - `_is_known` says so
    assert live.snapshot is not None and live.frozen_at is not None  # noqa: S101, PT018 - the same
    changes = await changes_since(content, live.snapshot, live.frozen_at)
    lifted = changes.values("tombstones", "path")
    candidates = {kind.name: await _touched(kind, content, changes, lifted) for kind in kinds}
    expired = await to_thread.run_sync(base.expired, content.frozen_at.date())
    return Plan(is_full=False, candidates=_sorted(candidates), orphans=tuple(expired), changes=changes)


async def _touched(
    kind: PageKind, content: Content, changes: Changes, lifted: Collection[str]
) -> Collection[str]:
    """With what was taken down or may come back: rare enough to ask a kind for all its paths then."""
    touched = await kind.touched(content, changes)
    return touched if not lifted else {*touched, *({*await kind.paths(content)} & {*lifted})}


def is_page(entry: Entry | None) -> bool:
    """A page that visitors may have a link to, as opposed to assets, feeds and redirects."""
    return entry is not None and entry.status == 200 and entry.content_type.startswith(PAGE_TYPE)


def _is_known(content: Content, live: LiveRow | None, recipe: str) -> bool:
    return (
        live is not None
        and live.snapshot is not None
        and live.frozen_at is not None
        and live.frozen_at <= content.frozen_at
        and live.database_id == content.database_id
        and live.recipe == recipe
        and not live.is_forgotten
    )


async def _full_plan(content: Content, kinds: Iterable[PageKind], base: Manifest) -> Plan:
    candidates = {kind.name: await kind.paths(content) for kind in kinds}
    claimed = {path for paths in candidates.values() for path in paths}
    known = await to_thread.run_sync(lambda: [path for path, _ in base.items()])
    orphans = sorted(path for path in known if path not in claimed)
    return Plan(is_full=True, candidates=_sorted(candidates), orphans=tuple(orphans))


def _sorted(candidates: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(paths)) for name, paths in candidates.items()}
