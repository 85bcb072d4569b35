"""From what PostgreSQL and its drivers raise to the expected failures of the program.

Nothing that the database says is passed on: its sentences hold names of tables and values of rows.
"""

import sys

import asyncpg

from app.errors import AppError, Conflict, Contended, Malformed, Unavailable, Unprocessable

_AWAY = "The database does not answer at the moment. Nothing was changed; try again in a few seconds."
_BY_STATE: dict[str, tuple[type[AppError], str]] = {
    "22021": (Malformed, "A text holds a character that cannot be stored, such as NUL."),
    "22P05": (Malformed, "A text holds a character that cannot be stored, such as NUL."),
    "23503": (Conflict, "This refers to something that is not there, or is still in use elsewhere."),
    "23505": (Conflict, "Something with the same values is already there."),
    "23P01": (Conflict, "This overlaps with something that is already there."),
    "40001": (Contended, "Somebody else changed the same thing at the same moment. Try again."),
    "40P01": (Contended, "Somebody else changed the same thing at the same moment. Try again."),
    "55P03": (Contended, "Somebody else is changing the same thing at the moment. Try again."),
    "57014": (Unavailable, "The database took too long. Nothing was changed; try again in a few seconds."),
}
_BY_CLASS: dict[str, tuple[type[AppError], str]] = {
    "08": (Unavailable, _AWAY),
    "22": (Unprocessable, "A value is out of the range that can be stored."),
    "23": (Unprocessable, "A value breaks a rule of what can be stored."),
    "53": (Unavailable, _AWAY),
    "57": (Unavailable, _AWAY),
}
_OF_THE_DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


def from_database(error: BaseException) -> AppError | None:
    """The expected failure that `error` stands for; None when it is no failure of the database, or a bug."""
    orm = sys.modules.get("sqlalchemy.exc")  # what was never imported cannot have raised anything
    if orm is not None and isinstance(error, orm.TimeoutError):
        return Unavailable("All connections to the database are busy. Try again in a few seconds.")
    if orm is not None and isinstance(error, orm.DBAPIError):
        return Unavailable(_AWAY) if error.connection_invalidated else from_driver(error.orig)
    if isinstance(error, _OF_THE_DRIVER):
        return from_driver(error)
    return None


def from_driver(error: BaseException | None) -> AppError | None:
    """The same for an error that certainly comes from talking to the database, a refused socket included."""
    state = getattr(error, "sqlstate", None)
    if state is not None:
        known = _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
        return known[0](known[1]) if known else None
    cause = error.__cause__ if error is not None and error.__cause__ is not None else error
    if isinstance(cause, asyncpg.InterfaceError) and "closed" not in str(cause):
        return None
    return Unavailable(_AWAY) if isinstance(cause, _LOST) else None
