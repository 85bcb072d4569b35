"""Keys of rows."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7: keys grow with time, so that the oldest row has the lowest key."""
    return uuid7()
