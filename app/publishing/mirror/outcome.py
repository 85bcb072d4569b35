"""What a mirror says at the end, whichever way it was made."""

import msgspec

from app.errors import AppError


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
