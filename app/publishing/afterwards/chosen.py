"""Which pages of a release are looked at: few, and always the same ones of the same release."""

from collections.abc import Collection, Sequence

from app.publishing.manifest import Entry, Manifest

MOST = 10
LARGEST = 4 * 1024 * 1024
"""Bytes of a body; larger ones are not fetched to be compared."""


def choose(manifest: Manifest, changed: Collection[str], most: int = MOST) -> dict[str, Entry | None]:
    """The home page, the folders above what changed (its listings), and of what changed itself an even part.

    Path to what has to be there; None: nothing.
    """
    folders = sorted({above for path in changed for above in folders_of(path)}, key=_by_depth)
    present = [path for path in ("/", *folders) if manifest.get(path) is not None][: most // 2]
    others = sorted(set(changed) - set(present))
    chosen = {path: manifest.get(path) for path in (*present, *spread(others, most - len(present)))}
    return {path: entry for path, entry in chosen.items() if entry is None or entry.size <= LARGEST}


def folders_of(path: str) -> list[str]:
    """`/campaigns/` for `/campaigns/x/`; neither the home page nor the path itself."""
    parts = path.strip("/").split("/")[:-1]
    return ["/" + "/".join(parts[:end]) + "/" for end in range(1, len(parts) + 1)]


def spread(paths: Sequence[str], most: int) -> list[str]:
    """At most so many of them, from the whole range."""
    if len(paths) <= most:
        return list(paths)
    return [paths[index * len(paths) // most] for index in range(most)]


def _by_depth(path: str) -> tuple[int, str]:
    return path.count("/"), path
