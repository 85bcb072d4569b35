"""Redirects that lead in a circle: nobody would ever arrive."""

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote

from app.errors import PublishError
from app.kit.paths import spellings
from app.publishing.manifest import Change, Manifest

Find = Callable[[str], Change]


def refuse_circles(base: Manifest, changes: Mapping[str, Change], candidates: Iterable[str]) -> None:
    """Raises PublishError that names the circle.

    A circle is new only if one of its redirects is: no other is followed, but for the `candidates`.
    """

    def find(path: str) -> Change:
        return changes[path] if path in changes else base.get(path)

    new = {path for path, entry in changes.items() if entry is not None and entry.location is not None}
    arriving: set[str] = set()
    for start in sorted(new.union(candidates)):
        arriving |= _follow(find, start, arriving)


def _follow(find: Find, start: str, arriving: set[str]) -> set[str]:
    """The hops from `start` on; they end at a page, at nothing, or at one of `arriving`."""
    hops = [start]
    while (target := _target(find, hops[-1])) is not None and target not in arriving:
        if target in hops:
            told = " to ".join([*hops[hops.index(target) :], target])
            raise PublishError(
                f"Redirects lead in a circle, from {told}. Nothing went live; take one of them away, "
                "or let it lead to a page."
            )
        hops.append(target)
    return set(hops)


def _target(find: Find, path: str) -> str | None:
    """Where a browser that asks for the path is sent, also by the gateway for a misspelt path."""
    entry = find(path)
    if entry is None:
        return next((near for near in spellings(path) if near != path and find(near)), None)
    return None if entry.location is None else unquote(re.split("[?#]", entry.location)[0])
