"""The process that owns the private cluster's postmaster, and stops it when nobody uses it any more.

Users of the cluster hold a shared lock on the file `users`. The kernel releases a lock when its holder ends,
however it ends, so no lock is ever stale: when the keeper gets the exclusive lock, no user is left. While it
stops the server it keeps that lock, so that a newcomer waits and then starts afresh. The lock on the file
`keeper` says that a keeper lives. If the keeper itself is killed, the kernel stops the postmaster (fast).
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, TypedDict

from app.kit.process import die_with_parent

POLL_SECONDS = 0.05
START_SECONDS = 60
STOP_SECONDS = 60
LEFTOVER_SECONDS = 10
START_ATTEMPTS = 3
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "200",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}
FASTER_THAN_SAFE = {"fsync": "off", "full_page_writes": "off"}

Server = subprocess.Popen[bytes]


class Identity(TypedDict, total=False):
    """As whom a child runs: the arguments of `subprocess` for that."""

    user: int
    group: int
    extra_groups: list[int]


def main(arguments: list[str]) -> int:
    """`FOLDER BINARIES SOCKETS safe|fast`: writes `ready` on standard output, then keeps the server.

    Ends without that word when the server does not start; the folder's log says why.
    """
    folder, binaries, sockets = (Path(argument) for argument in arguments[:3])
    os.chdir(folder)
    command = server_command(folder, binaries, sockets, safe=arguments[3] == "safe")
    with (folder / "users").open("ab") as users, (folder / "keeper").open("ab") as alive:
        if not wait_for(lambda: try_lock(alive, fcntl.LOCK_EX), LEFTOVER_SECONDS):
            return 1
        done = serve(folder, sockets, command, users)
        alive.close()  # before `users`, so that who gets that lock finds no keeper
    return 0 if done else 1


def serve(folder: Path, sockets: Path, command: list[str], users: IO[bytes]) -> bool:
    """Keep a server running until nobody uses it; False when none would start."""
    while server := start(folder, sockets, command):
        tell_starter()
        if not keep(server, users):
            return True
    return False


def keep(server: Server, users: IO[bytes]) -> bool:
    """Wait until the last user has left and stop the server; True when it crashed before that."""
    while server.poll() is None:
        if try_lock(users, fcntl.LOCK_EX):
            stop(server)
            return False
        time.sleep(POLL_SECONDS)
    return True


def start(folder: Path, sockets: Path, command: list[str]) -> Server | None:
    """A server that answers, or None. What a killed server left is removed first, and may need a moment."""
    for _ in range(START_ATTEMPTS):
        remove_leftovers(folder, sockets)
        server = spawn(folder, command)
        if answers(folder, server):
            return server
        time.sleep(POLL_SECONDS)
    return None


def answers(folder: Path, server: Server) -> bool:
    """Wait until the server is ready or has ended; one that is neither in good time is stopped."""
    settled = wait_for(lambda: server.poll() is not None or is_ready(folder, server.pid), START_SECONDS)
    if not settled:
        stop(server)
    return server.poll() is None


def spawn(folder: Path, command: list[str]) -> Server:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGINT),  # noqa: PLW1509 - no threads here
            **identity(folder),
        )


def identity(folder: Path) -> Identity:
    """PostgreSQL refuses to run as root: root runs it as the owner of the cluster's folder."""
    if os.getuid() != 0:
        return {}
    owner = folder.stat()
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


def stop(server: Server) -> None:
    """Fast shutdown: clients are disconnected, everything committed is written."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server.send_signal(number)
        if wait_for(lambda: server.poll() is not None, STOP_SECONDS):
            return


def server_command(folder: Path, binaries: Path, sockets: Path, *, safe: bool) -> list[str]:
    quoted = str(sockets).replace('"', '""')
    settings = {
        **SETTINGS,
        **({} if safe else FASTER_THAN_SAFE),
        "unix_socket_directories": f'"{quoted}"',
        "cluster_name": cluster_name(folder),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(binaries / "postgres"), "-D", str(folder / "data"), *options]


def cluster_name(folder: Path) -> str:
    """What the server's processes show as their title; nothing else on the machine has it."""
    return "hustings-" + sha256(bytes(folder.resolve())).hexdigest()[:16]


def remove_leftovers(folder: Path, sockets: Path) -> None:
    """End what a killed keeper or postmaster left behind, then drop its lock files.

    PostgreSQL trusts the process ids in them, which after a restart of the machine may be anybody's.
    """
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in server_processes(folder):
            send(process, number)
        if wait_for(lambda: not server_processes(folder), LEFTOVER_SECONDS):
            break
    if Path("/proc/self").exists():
        for lock in (folder / "data" / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
            lock.unlink(missing_ok=True)


def server_processes(folder: Path) -> list[int]:
    """Ids of this cluster's processes. Read from their command lines, which every user may read."""
    title = f"postgres: {cluster_name(folder)}:".encode()
    data = bytes(folder / "data")
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        words = line.split(b"\0")
        if line.startswith(title) or (words[0].endswith(b"/postgres") and data in words):
            found.append(int(path.parent.name))
    return found


def send(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def read_pid_file(folder: Path) -> list[str]:
    """The lines of the running postmaster's file: its id first, its socket folder fifth, its state eighth."""
    try:
        return (folder / "data" / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def is_ready(folder: Path, server: int | None = None) -> bool:
    lines = read_pid_file(folder)
    return len(lines) > 7 and lines[7].strip() == "ready" and server in (None, int(lines[0]))


def try_lock(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS / 5)
    return True


def tell_starter() -> None:
    """Say so and let go of the pipe, once; whoever listened may have gone already."""
    silence = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b"ready\n")
    os.dup2(silence, 1)
    os.close(silence)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
