"""Processes that render: forked before there is any thread or event loop, fed over sockets.

Each has its own connection to the database, which sees the publisher's frozen content by its exported
snapshot, and writes to the store itself; only entries of the manifest come back. A process that is idle waits
for its socket, and each ends when the publisher does, however that ends.
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import anyio
import msgspec

from app.errors import PublishError
from app.kit.process import die_with_parent
from app.publishing.chunk import Chunk, Made, Workshop
from app.publishing.elsewhere import Begin, Database, Failed, Handle, opened

AHEAD = 2
"""Chunks that a process is given before it has told of the first: it never waits for the next."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""As mallopt numbers them."""
LENGTH = struct.Struct(">I")


class Task(msgspec.Struct, frozen=True, tag=True):
    chunk: Chunk


class End(msgspec.Struct, frozen=True, tag=True):
    """No more chunks of this content; answered in kind, when the view of the content is closed."""


class Done(msgspec.Struct, frozen=True, tag=True):
    made: Made


_encode = msgspec.msgpack.Encoder().encode
_requests = msgspec.msgpack.Decoder(Begin | Task | End)
_replies = msgspec.msgpack.Decoder(Done | Failed | End)


class Renderers:
    """The processes, from the side of the publisher. They serve one publish at a time."""

    def __init__(self, children: dict[int, socket.socket]) -> None:
        self._children = children
        self._alone = asyncio.Lock()

    @property
    def count(self) -> int:
        return len(self._children)

    async def make(self, begin: Begin, chunks: Iterable[Chunk], handle: Handle) -> None:
        """Calls `handle` with each chunk and what became of it, in no order.

        The first failure ends the processes for good and is raised: later publishes do without them.
        """
        waiting = iter(chunks)
        failures: list[Exception] = []

        async def converse(child: socket.socket) -> None:
            try:
                await _converse(child, begin, waiting, handle)
            except Exception as error:  # noqa: BLE001 - raised below, without the task group's wrapping
                failures.append(error)
                tasks.cancel_scope.cancel()

        async with self._alone:
            try:
                async with anyio.create_task_group() as tasks:
                    for child in self._children.values():
                        tasks.start_soon(converse, child)
            except BaseException:
                self.end()
                raise
            if failures:
                self.end()
                raise failures[0]

    def end(self) -> None:
        """Whatever they are doing is not wanted any more."""
        children, self._children = self._children, {}
        for pid, child in children.items():
            child.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@contextmanager
def renderers(count: int, workshop: Workshop, database: Database) -> Iterator[Renderers]:
    """So many processes for the length of the block. There must be no other thread and no event loop yet."""
    children: dict[int, socket.socket] = {}
    gc.collect()
    gc.freeze()  # what is there now is shared with the children, and stays so
    publisher = os.getpid()
    for _ in range(count):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            for other in (ours, *children.values()):
                other.close()
            die_with_parent(publisher)
            _child(theirs, workshop, database)
        theirs.close()
        ours.setblocking(False)
        children[pid] = ours
    gc.unfreeze()
    made = Renderers(children)
    try:
        yield made
    finally:
        made.end()


async def _converse(child: socket.socket, begin: Begin, waiting: Iterator[Chunk], handle: Handle) -> None:
    """Feeds one process and hears it at the same time: neither side waits for the other's full buffer."""
    room = anyio.Semaphore(AHEAD)
    given: deque[Chunk] = deque()

    async def feed() -> None:
        await _send(child, begin)
        await room.acquire()
        while (chunk := next(waiting, None)) is not None:
            given.append(chunk)
            await _send(child, Task(chunk))
            await room.acquire()
        await _send(child, End())

    feeding = asyncio.create_task(feed())
    try:
        while not isinstance(reply := await _receive(child), End):
            if isinstance(reply, Failed):
                raise reply.error()
            await handle(given.popleft(), reply.made)
            room.release()
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])  # what it failed with, the other direction has told
        _ = feeding.cancelled() or feeding.exception()


async def _send(child: socket.socket, message: Begin | Task | End) -> None:
    body = _encode(message)
    await asyncio.get_running_loop().sock_sendall(child, LENGTH.pack(len(body)) + body)


async def _receive(child: socket.socket) -> Done | Failed | End:
    (length,) = LENGTH.unpack(await _exactly(child, LENGTH.size))
    reply: Done | Failed | End = _replies.decode(await _exactly(child, length))
    return reply


async def _exactly(child: socket.socket, length: int) -> bytearray:
    """Raises PublishError when the process is gone, for example because the machine ran out of memory."""
    body = bytearray(length)
    rest = memoryview(body)
    while rest:
        try:
            got = await asyncio.get_running_loop().sock_recv_into(child, rest)
        except ConnectionError:  # it had not read all that it was sent
            got = 0
        if not got:
            raise PublishError("A rendering process was ended from outside. Is there memory enough?")
        rest = rest[got:]
    return body


# --- The other side: a process of its own, which blocks whenever it has nothing to do -----------------------


def _child(publisher: socket.socket, workshop: Workshop, database: Database) -> None:
    """Never returns: what the publisher has open and registered is not this process's to close."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the publisher is told, and ends its children
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _prepare()
        asyncio.run(_serve(publisher, workshop, database))
        status = 0
    except ConnectionError:
        pass  # the publisher is gone
    except BaseException:  # noqa: BLE001 - there is nobody left to raise it to
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _prepare() -> None:
    """A process that renders makes and drops the same kinds of objects for every page.

    So collecting cycles seldom costs little memory, and memory that glibc gives back to the system after each
    parse would have to be faulted in anew for the next: a third of the time of the examination.
    """
    gc.set_threshold(50_000, 20, 100)
    libc = ctypes.CDLL(None)
    with contextlib.suppress(AttributeError):  # another libc has no such call
        libc.mallopt(M_TRIM_THRESHOLD, 32 << 20)
        libc.mallopt(M_MMAP_THRESHOLD, 16 << 20)


async def _serve(publisher: socket.socket, workshop: Workshop, database: Database) -> None:
    """Until the publisher is gone."""
    with publisher.makefile("rb") as requests:
        while isinstance(begin := _next(requests), Begin):
            try:
                await _work(publisher, requests, begin, workshop, database)
            except Exception as error:  # noqa: BLE001 - told to the publisher, which raises it
                _reply(publisher, Failed.of(error))


async def _work(
    publisher: socket.socket, requests: BinaryIO, begin: Begin, workshop: Workshop, database: Database
) -> None:
    async with opened(begin, workshop, database) as maker:
        while isinstance(request := _next(requests), Task):
            _reply(publisher, Done(await maker.make(request.chunk)))
    _reply(publisher, End())


def _next(requests: BinaryIO) -> Begin | Task | End | None:
    """None when the publisher is gone."""
    header = requests.read(LENGTH.size)
    if len(header) < LENGTH.size:
        return None
    message: Begin | Task | End = _requests.decode(requests.read(LENGTH.unpack(header)[0]))
    return message


def _reply(publisher: socket.socket, message: Done | Failed | End) -> None:
    body = _encode(message)
    publisher.sendall(LENGTH.pack(len(body)) + body)
