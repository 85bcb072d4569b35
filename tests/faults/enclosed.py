"""A worker without any network but a relay: a port of its loopback leads to a socket file of the outside.

Run it in a network namespace of its own: `python -m tests.faults.enclosed SOCKET PORT`. Without SOCKET there
is no relay, and `http://127.0.0.1:PORT/` is asked for once instead: exit status 3 when nobody answers.
"""

import asyncio
import fcntl
import os
import socket
import struct
import sys
from functools import partial

from app.cli import main
from app.kit.process import die_with_parent

SIOCSIFFLAGS = 0x8914
IFF_UP, IFF_RUNNING = 0x1, 0x40


def raise_loopback() -> None:
    with socket.socket() as probe:
        wanted = struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(probe, SIOCSIFFLAGS, wanted)


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end of the one or the other."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def into_socket(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    inner, outer = await asyncio.open_unix_connection(path)
    await asyncio.gather(carry(reader, outer), carry(inner, writer))


async def into_port(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    inner, outer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(carry(reader, outer), carry(inner, writer))


async def relay(path: str, listening: socket.socket) -> None:
    server = await asyncio.start_server(partial(into_socket, path), sock=listening)
    await server.serve_forever()


def start_relay(path: str, port: int) -> None:
    """In a process of its own, which ends with this one."""
    listening = socket.create_server(("127.0.0.1", port))
    parent = os.getpid()
    if os.fork() == 0:
        die_with_parent(parent)
        asyncio.run(relay(path, listening))
    listening.close()


if __name__ == "__main__":
    raise_loopback()
    path, port = sys.argv[1], int(sys.argv[2])
    if path:
        start_relay(path, port)
        main(["worker"])
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        sys.exit(3)
