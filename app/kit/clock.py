"""Time that tests can set. Every time in the program is UTC and comes from here."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present as an aware UTC datetime. Collaborators take one; tests pass a fixed one."""


def system_clock() -> datetime:
    return datetime.now(UTC)
