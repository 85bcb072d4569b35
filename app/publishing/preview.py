"""What a publish would do: made and checked like one, and kept nowhere."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from app.publishing.base import Base
from app.publishing.build import Built
from app.publishing.chunk import Kinds
from app.publishing.judge import Verdict
from app.publishing.kinds import Content, SiteFacts
from app.publishing.manifest import Change, Entry, Manifest, is_same
from app.publishing.plan import Plan
from app.publishing.reasons import reasons
from app.publishing.report import Outcome, PathChange, Preview

Difference = Literal["added", "changed", "removed"]


class Prepared(msgspec.Struct, frozen=True):
    """Everything of a publish but the release itself."""

    site: SiteFacts
    built: Built
    plan: Plan
    verdict: Verdict
    large_removal: str | None
    """The sentence about it."""
    manifest: Manifest
    """The base with what was built."""
    recipe: str
    """The digest of the recipe by which it was made."""


async def preview(content: Content, kinds: Kinds, made: Prepared, *, base: Base, outcome: Outcome) -> Preview:
    changed = told(base.manifest, made.built.changes)
    why = await reasons(content, kinds, made.plan, live=base.live, recipe=made.recipe, paths=changed)
    paths = [
        PathChange(path=path, change=_preview_of(change, entry), reasons=why[path])
        for path, (change, entry) in changed.items()
    ]
    return Preview(
        **msgspec.structs.asdict(outcome),
        will_publish=not made.verdict.errors and made.large_removal is None,
        errors=made.verdict.errors,
        large_removal=made.large_removal,
        paths=tuple(sorted(paths, key=lambda each: (each.change, each.path))),
    )


def told(base: Manifest, changes: Mapping[str, Change]) -> dict[str, tuple[Difference, Entry | None]]:
    """Path to what happens to it, where visitors can tell a difference."""
    found: dict[str, tuple[Difference, Entry | None]] = {}
    for path, entry in changes.items():
        was = base.get(path)
        if entry is not None and is_same(was, entry):
            continue
        if was is not None and entry is not None and was.status == entry.status:
            found[path] = ("changed", entry)
        else:
            found[path] = ("removed" if entry is None or entry.status == 410 else "added", entry)
    return found


def _preview_of(change: Difference, entry: Entry | None) -> Literal[Difference, "redirected"]:
    return "redirected" if entry is not None and entry.status == 301 else change
