"""From what drivers raise to expected failures."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.database.failures import from_database, from_driver
from app.errors import Conflict, Contended, Unavailable


class Adapted(Exception):
    """As the dialect wraps an error of asyncpg: the cause is kept, a state only where there is one."""

    sqlstate: str | None = None


def adapted(cause: BaseException) -> Adapted:
    error = Adapted(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        FileNotFoundError("the socket is gone"),
        TimeoutError(),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.TooManyConnectionsError("full"),
        asyncpg.ConnectionDoesNotExistError("lost"),
        asyncpg.InterfaceError("cannot perform operation: connection is closed"),
        adapted(asyncpg.InterfaceError("connection is closed")),
    ],
)
def test_a_database_that_is_away_is_unavailable(error: Exception) -> None:
    assert isinstance(from_driver(error), Unavailable)


@pytest.mark.parametrize(
    "error", [asyncpg.InterfaceError("another operation is in progress"), ValueError("a bug"), None]
)
def test_a_bug_is_no_expected_failure(error: Exception | None) -> None:
    assert from_driver(error) is None


def test_what_sqlalchemy_wraps_is_looked_through() -> None:
    unique = asyncpg.UniqueViolationError("Key (email)=(ada@example.org) already exists.")
    found = from_database(DBAPIError("INSERT", {}, unique))
    assert type(found) is Conflict
    assert "ada" not in found.detail
    assert isinstance(
        from_database(DBAPIError("SELECT", {}, unique, connection_invalidated=True)), Unavailable
    )
    assert isinstance(from_database(PoolTimeout()), Unavailable)


def test_errors_of_the_plain_driver_are_known_too() -> None:
    assert isinstance(from_database(asyncpg.DeadlockDetectedError("x")), Contended)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("got result for unknown protocol state"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.InterfaceError("connection is closed"),
    ],
)
def test_a_connection_that_broke_needs_no_context_to_be_known(error: Exception) -> None:
    assert isinstance(from_database(error), Unavailable)


def test_a_refused_socket_is_the_database_s_only_where_that_is_certain() -> None:
    assert from_database(ConnectionRefusedError()) is None
