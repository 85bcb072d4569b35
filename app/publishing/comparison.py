"""What a release that comes back lacks, compared with the one that is live."""

from datetime import date

import msgspec

from app.errors import PublishError
from app.publishing.base import DAMAGED
from app.publishing.build import retire
from app.publishing.manifest import Change, Entry, Manifest, blob_key, diff, is_retired
from app.storage.store import ObjectNotFound, ObjectStore


class Hidden(msgspec.Struct, frozen=True):
    """Paths that were taken down, whose bytes are deleted."""

    now: set[str]
    once: set[str]
    """Those that may be shown again: a release from before has them, and not their bytes."""


class Compared(msgspec.Struct, frozen=True):
    """What the release that comes back lacks."""

    assets: dict[str, Change]
    """What pages of the live release need."""
    bytes_of: set[str]
    """Paths whose bytes were deleted."""


def compare(store: ObjectStore, live: Manifest, past: Manifest, hidden: Hidden, today: date) -> Compared:
    """Raises PublishError unless all in which the past one differs is in the store."""
    found = Compared({}, set())
    try:
        for path, (now, then) in _differences(live, past).items():
            if path in hidden.now:
                continue
            if then is not None and then.blob is not None and not _has_bytes(store, path, then, hidden):
                found.bytes_of.add(path)
            if now is not None and (kept := kept_asset(now, then, today)) is not None:
                found.assets[path] = kept
    except DAMAGED as error:
        raise PublishError(f"The release is not whole any more: {error} The live one stays.") from None
    return found


def _has_bytes(store: ObjectStore, path: str, entry: Entry, hidden: Hidden) -> bool:
    """False only for a path that was taken down once. Raises ObjectNotFound for others."""
    try:
        store.stat(blob_key(entry.blob or ""))
    except ObjectNotFound:
        if path not in hidden.once:
            raise
        return False
    return True


def _differences(live: Manifest, past: Manifest) -> dict[str, tuple[Change, Change]]:
    """Going back is the way out of a live release with damaged parts: then it counts as empty."""
    try:
        return diff(live, past)
    except DAMAGED:
        return diff(Manifest.empty(), past)


def kept_asset(now: Entry, then: Change, today: date) -> Change:
    """What the release that comes back shows at the path of a live asset; None: what it has, or nothing."""
    kept = retire(now, today)
    if kept is None or (then is not None and not is_retired(then)):
        return None
    was = then.gone_on if then is not None else None
    return kept if was is None or (kept.gone_on or "") > was else None
