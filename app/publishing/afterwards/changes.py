"""Which paths answer differently after some flips: the difference of the manifests, flip by flip."""

from collections.abc import Callable, Sequence

from app.publishing.flips import Flip
from app.publishing.manifest import Change, CorruptObject, Entry, Manifest, diff
from app.storage.store import ObjectNotFound

Get = Callable[[str], bytes]


def changed_paths(get: Get, flips: Sequence[Flip]) -> dict[str, Change] | None:
    """Path to what is there after the last flip that touched it, sorted; all of them, not the sum.

    Between two flips a cache may have fetched what the second took back. None: nobody can tell any more,
    because a manifest is gone.
    """
    found: dict[str, Change] = {}
    try:
        for flip in flips:
            before = Manifest.load(get, flip.replaced_root) if flip.replaced_root else Manifest.empty()
            after = diff(before, Manifest.load(get, flip.root))
            found |= {path: new for path, (old, new) in after.items() if is_stale(old, new)}
    except (ObjectNotFound, CorruptObject):
        return None
    return dict(sorted(found.items()))


def is_stale(old: Change, new: Change) -> bool:
    """Whether a cache may hold something else than what is there now.

    An asset whose name holds a digest of its bytes is never stale, unless it is taken away.
    """
    if new is not None and new.cache == "immutable" and (old is None or old.blob == new.blob):
        return False
    return _shown(old) != _shown(new)


def _shown(entry: Entry | None) -> tuple[object, ...] | None:
    """What of an entry visitors can see."""
    if entry is None:
        return None
    return (entry.status, entry.blob, entry.content_type, entry.cache, entry.location)
