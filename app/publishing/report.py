"""How a publish tells what it is doing."""

from datetime import datetime
from typing import Literal, Protocol

import msgspec


class Reporter(Protocol):
    def step(self, name: str, total: int | None = None) -> None:
        """A new step begins; `total` is its number of paths, where it is known."""
        ...

    def advance(self, count: int) -> None:
        """So many more paths of the step are done."""
        ...

    def note(self, sentence: str) -> None:
        """Something a person should know."""
        ...


class Silent:
    """For callers that only want the outcome."""

    def step(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, count: int) -> None:
        pass

    def note(self, sentence: str) -> None:
        pass


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `hustings publish --json` prints. Counts are of paths, pages and assets alike."""

    site: str
    release: int | None
    """The live release: the new one, or the old one when nothing changed; None when none ever was."""
    pages: int
    """All paths that answer 200 (and the 404 page) in that release."""
    rendered: int
    uploaded: int
    """Paths whose blob the store did not have."""
    removed: int
    changed: int
    """Paths that are new or answer something else: a page that was made anew and came out the same is not."""
    unchanged: int
    live_at: datetime | None = None
    """Since when; None when nothing went live."""
    seconds: float
    waits: str = ""
    """Why a publish that nobody asked for did nothing; left out when it did what it could."""
    warnings: tuple[str, ...] = ()
    """What the checks found that did not stop the release."""


class PathChange(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    change: Literal["added", "changed", "removed", "redirected"]
    reasons: tuple[str, ...]
    """Each goes on after "because": the campaign “Save the river” changed."""


class Preview(Outcome, frozen=True, kw_only=True):
    """What `hustings publish --dry-run --json` prints: what a publish would do. `release` is what is live."""

    will_publish: bool
    """Without `--yes`, and if nothing changes until then."""
    errors: tuple[str, ...]
    """What the checks would stop the release with."""
    large_removal: str | None
    """The sentence about too many pages that disappear: `--yes` goes on all the same."""
    paths: tuple[PathChange, ...]
    """Every path that would change, sorted by what happens to it and by path."""
