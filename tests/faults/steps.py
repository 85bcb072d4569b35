"""The steps of a publisher, counted, so that it can be killed at each of them in turn."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any, cast

from app.storage.store import ObjectStore


class Steps:
    """Writes the name of each step to `told`; at step number `deadly` the process kills itself."""

    def __init__(self, told: int, deadly: int | None = None) -> None:
        self.count = 0
        self._told = told
        self._deadly = deadly
        self._lock = threading.Lock()

    def at(self, name: str) -> None:
        with self._lock:
            self.count += 1
            os.write(self._told, f"{name}\n".encode())
            if self.count == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)


def counted(store: ObjectStore, steps: Steps) -> ObjectStore:
    """A step before each call of the store, whatever its verb; what was before is done by then."""
    return cast("ObjectStore", _CountedStore(store, steps))


class _CountedStore:
    def __init__(self, store: ObjectStore, steps: Steps) -> None:
        self._store = store
        self._steps = steps

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._store, verb)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._steps.at(f"store: {verb} {_subject(arguments)}")
            answer = found(*arguments, **options)
            return list(answer) if verb == "list" else answer

        return call


def _subject(arguments: tuple[Any, ...]) -> str:
    """A key; of many keys their number."""
    if not arguments or isinstance(arguments[0], str):
        return str(*arguments[:1])
    return f"{len(list(arguments[0]))} keys" if isinstance(arguments[0], Iterable) else ""


def count_renames(steps: Steps) -> None:
    """A step before each time that a file gets its name: its body lies below a temporary one until then."""
    for name in ("link", "rename", "replace"):
        setattr(os, name, _before(steps, name, getattr(os, name)))


def _before(steps: Steps, name: str, function: Callable[..., None]) -> Callable[..., None]:
    def call(*arguments: Any, **options: Any) -> None:
        steps.at(f"file: {name} {os.path.basename(arguments[1])}")  # noqa: PTH119 - may be a string
        function(*arguments, **options)

    return call


class CountingLoop(asyncio.SelectorEventLoop):
    """A step before each statement that is sent to PostgreSQL, and one when a commit is not yet answered.

    What else is sent and not answered is as good as not sent: the server rolls it back.
    """

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    async def create_unix_connection(  # type: ignore[override]  # as asyncpg calls it
        self, protocol_factory: Callable[[], asyncio.Protocol], path: str
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        transport, watched = await super().create_unix_connection(
            lambda: _Watched(protocol_factory(), self._steps), path
        )
        return transport, watched.inner


class _Watched(asyncio.Protocol):
    def __init__(self, inner: asyncio.Protocol, steps: Steps) -> None:
        self.inner = inner
        self._steps = steps

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.inner.connection_made(cast("asyncio.Transport", _CountedTransport(transport, self._steps)))

    def __getattribute__(self, name: str) -> Any:
        own = {"inner", "_steps", "connection_made", "__class__"}
        return object.__getattribute__(self, name) if name in own else getattr(self.inner, name)


class _CountedTransport:
    """Knows as much of PostgreSQL's protocol as it takes to see what makes the server do something."""

    def __init__(self, transport: asyncio.BaseTransport, steps: Steps) -> None:
        self._transport = transport
        self._steps = steps
        self._statements: dict[bytes, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: Any) -> None:
        statement = self._executed(bytes(data))
        if statement is not None:
            self._steps.at(f"database: {statement}")
        self._transport.write(data)  # type: ignore[attr-defined]  # it is a transport for writing
        if statement is not None and statement.startswith("COMMIT"):
            self._steps.at("database: COMMIT sent")

    def writelines(self, chunks: Iterable[Any]) -> None:
        self.write(b"".join(map(bytes, chunks)))

    def _executed(self, message: bytes) -> str | None:
        """The SQL that the message has the server execute; what prepares a statement changes nothing."""
        kind, parts = message[:1], message[5:].split(b"\0", 2)
        if kind == b"P":
            self._statements[parts[0]] = parts[1]
        if kind == b"Q":
            return _short(parts[0])
        return _short(self._statements.get(parts[1], b"?")) if kind == b"B" else None


def _short(statement: bytes) -> str:
    return " ".join(statement.decode().split())[:60]
