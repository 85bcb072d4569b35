"""What a purge is about, and what every service that holds copies of pages can be told."""

from typing import Protocol

import msgspec

from app.publishing.afterwards.calls import Answer, Call, CallFailed, CallRefused


class Stale(msgspec.Struct, frozen=True, kw_only=True):
    """What caches hold and should not."""

    site_id: str
    site: str
    """The slug."""
    release: int
    generation: int
    base_url: str
    """Scheme and host, without a slash at the end."""
    paths: tuple[str, ...]
    """Sorted, percent-encoded as browsers send them; empty with `is_everything`."""
    gone: frozenset[str] = frozenset()
    """Those of the paths at which there is no page any more."""
    is_everything: bool = False
    turn: int = 1
    """Counts the purges of one flip that are meant to be several, not those that are repeated."""

    @property
    def urls(self) -> list[str]:
        return [self.base_url + path for path in self.paths]


class Purger(Protocol):
    """Forgetting the same twice must do no harm: a purge may be repeated at any time."""

    @property
    def name(self) -> str:
        """For sentences."""
        ...

    @property
    def most(self) -> int:
        """So many paths it is asked for one by one; with more it is asked to forget everything."""
        ...

    async def purge(self, stale: Stale) -> None:
        """Returns when the service has taken all of it. Raises CallFailed, CallRefused."""
        ...


def check(call: Call, answer: Answer, purger: Purger, reason: str = "") -> None:
    """Raises CallRefused, or CallFailed for what may pass, unless the answer is a success."""
    if 200 <= answer.status < 300:
        return
    if answer.is_passing:
        raise CallFailed(f"{purger.name} at {call.place} answered {answer.status}.")
    said = f"{answer.status} {reason}".strip()
    if answer.status in (401, 403):
        advice = "Put valid credentials into HUSTINGS_PURGE_URL, with the right to purge."
    else:
        advice = "Check HUSTINGS_PURGE_URL."
    raise CallRefused(f"{purger.name} at {call.place} refused the purge ({said}). {advice}")
