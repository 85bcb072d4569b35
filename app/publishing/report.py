"""How a publish tells what it is doing."""

from datetime import datetime
from typing import Protocol

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
    unchanged: int
    live_at: datetime | None = None
    """Since when; None when nothing went live."""
    seconds: float
    waits: str = ""
    """Why a publish that nobody asked for did nothing; left out when it did what it could."""
