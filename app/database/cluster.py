"""A private PostgreSQL cluster in the data folder, for development and tests. No system cluster is touched.

It listens on a Unix socket in a folder that only its owner (and root) can enter, and trusts who gets there.
Any number of processes may use it at a time; it runs while at least one does (see `app.database.keeper`).
"""

import fcntl
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote

from app.database import keeper
from app.errors import ConfigurationError

Role = Literal["superuser", "owner", "app", "readonly", "backup"]

HOME_FOR_ROOT = Path("/var/lib/hustings")
DISTRIBUTION = Path("/usr/lib/postgresql")
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 107
INSTALL = "Run ./dev install, or install your distribution's package 'postgresql'."


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers as long as the context of `running_cluster` is open."""

    folder: Path
    sockets: Path

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def url(self, role: Role, database: str = "hustings") -> str:
        """A URL for asyncpg and psql; without passwords, because the socket's folder is the guard."""
        user = "postgres" if role == "superuser" else f"hustings_{role}"
        return f"postgresql://{user}@/{quote(database)}?host={quote(str(self.sockets))}&port=5432"


def _silent(_sentence: str) -> None:
    return


@contextmanager
def running_cluster(
    data: Path, *, say: Callable[[str], None] = _silent, safe: bool = True
) -> Iterator[Cluster]:
    """The cluster of the data folder, made and started when need be.

    The last process to leave waits until the server is gone. With `safe=False` nothing is synced to disk:
    a crash of the machine may lose everything, which tests do not mind. Blocks for a second or two.
    Raises ConfigurationError with a sentence for every reason why there can be no server.
    """
    with _open_lock(_writable(data) / "cluster.lock") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        folder = _cluster_folder(data)
        binaries = _prepare(folder, say, safe=safe)
        users = _open_lock(folder / "users")
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            started = _ensure_server(folder, binaries, say, safe=safe)
        except BaseException:
            users.close()
            raise
    process = os.getpid()
    try:
        yield Cluster(folder=folder, sockets=_sockets(folder))
    finally:
        if os.getpid() == process:  # a forked child shares the lock and must not release it
            _leave(folder, users, started)


def is_running(data: Path) -> bool:
    """Whether a server runs over the data folder, kept by whoever uses it."""
    return (data / "cluster" / "keeper").exists() and _keeper_lives((data / "cluster").resolve())


def remove_cluster(data: Path) -> None:
    """Delete the cluster of a data folder, which nobody may be using; for tests."""
    link = data / "cluster"
    shutil.rmtree(link.resolve(), ignore_errors=True)
    if link.is_symlink():
        link.unlink()


def find_binaries(
    version: str | None = None, *, distribution: Path = DISTRIBUTION, path: str | None = None
) -> Path:
    """The folder with `postgres` and `initdb`: of `version`, or of the newest that is installed.

    Raises ConfigurationError when there is none; `path` replaces PATH.
    """
    folders = [file.parent for file in distribution.glob("*/bin/initdb") if file.parent.parent.name.isdigit()]
    folders.sort(key=lambda folder: int(folder.parent.name), reverse=True)
    on_path = shutil.which("initdb", path=path)
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if (folder / "postgres").exists() and version in (None, _version(folder)):
            return folder
    if version is None:
        raise ConfigurationError(f"PostgreSQL's server programs were not found. {INSTALL}")
    raise ConfigurationError(
        f"The database was made by PostgreSQL {version}, which is not installed."
        f" Install the package postgresql-{version}, or start with another data folder."
    )


def _version(folder: Path) -> str:
    if folder.parent.name.isdigit():
        return folder.parent.name
    text = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"\d+", text)
    return found[0] if found else ""


def _writable(data: Path) -> Path:
    try:
        data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data):
            return data
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {data} cannot be written: {error.strerror}."
            " Give yourself the right to write there, or choose another with --data."
        ) from None


def _cluster_folder(data: Path) -> Path:
    """`data/cluster`: a folder, or for root a link to one where PostgreSQL's own user can go."""
    place = data / "cluster"
    if os.getuid() == 0 and not os.path.lexists(place):
        place.symlink_to(HOME_FOR_ROOT / secrets.token_hex(8))
    folder = place.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0 and folder.stat().st_uid == 0:
            os.chown(folder, *_postgres_user())
        folder.chmod(0o700)
    except PermissionError:
        raise ConfigurationError(
            f"The database in {folder} belongs to another user."
            " Run this as that user, or choose another data folder with --data."
        ) from None
    return folder


def _postgres_user() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        raise ConfigurationError(
            "PostgreSQL refuses to run as root, and this machine has no user 'postgres'."
            " Make one (useradd --system postgres), or run this as an ordinary user."
        ) from None
    return entry.pw_uid, entry.pw_gid


def _prepare(folder: Path, say: Callable[[str], None], *, safe: bool) -> Path:
    """Make the cluster's files unless they are complete, and say which server goes with them."""
    if (folder / "complete").exists():
        return find_binaries((folder / "data" / "PG_VERSION").read_text().strip())
    binaries = find_binaries()
    say(f"Making a PostgreSQL cluster in {folder}.")
    shutil.rmtree(folder / "data", ignore_errors=True)
    _initdb(folder, binaries, safe=safe)
    with (folder / "complete").open("w") as marker:
        os.fsync(marker.fileno())
    return binaries


def _initdb(folder: Path, binaries: Path, *, safe: bool) -> None:
    options = ["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"]
    access = ["--auth-local=trust", "--auth-host=reject"]
    result = subprocess.run(
        [binaries / "initdb", "-D", folder / "data", *options, *access, *([] if safe else ["--no-sync"])],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **keeper.identity(folder),
    )
    if result.returncode != 0:
        raise ConfigurationError(f"initdb failed in {folder}: {result.stderr.strip()}")


def _ensure_server(folder: Path, binaries: Path, say: Callable[[str], None], *, safe: bool) -> int | None:
    """Start a keeper unless one lives; its process id if we did. The start lock is held meanwhile."""
    if not keeper.wait_for(lambda: _answers(folder) or not _keeper_lives(folder), keeper.START_SECONDS):
        raise ConfigurationError(f"The database does not answer; {folder / 'log'} says why.")
    if _keeper_lives(folder):
        return None
    say("Starting PostgreSQL.")
    return _start_keeper(folder, binaries, _socket_folder(folder), safe=safe)


def _answers(folder: Path) -> bool:
    """Whether somebody listens: a killed server's file still says that it is ready."""
    if not keeper.is_ready(folder):
        return False
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(_sockets(folder) / SOCKET)) == 0


def _sockets(folder: Path) -> Path:
    return Path(keeper.read_pid_file(folder)[4])


def _start_keeper(folder: Path, binaries: Path, sockets: Path, *, safe: bool) -> int:
    """A detached process: no descriptor, signal or exit of ours reaches it but the locks."""
    reading, writing = os.pipe()
    arguments = [str(folder), str(binaries), str(sockets), "safe" if safe else "fast"]
    log = str(folder / "log")
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "app.database.keeper", *arguments],
        os.environ,  # noqa: TID251 - passed on, not read
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writing, 1),
            (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        ],
        setsid=True,
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        if answer.read().strip() == b"ready":
            return process
    os.waitpid(process, 0)
    lines = Path(log).read_text(errors="replace").strip().splitlines()[-5:]
    raise ConfigurationError("PostgreSQL did not start. Its log ends with:\n" + "\n".join(lines))


def _socket_folder(folder: Path) -> Path:
    """Inside the cluster, or in the temporary folder when the path would be too long for a socket."""
    sockets = folder / "socket"
    if len(bytes(sockets / SOCKET)) > LONGEST_SOCKET or "," in str(sockets):
        name = f"hustings-{os.getuid()}-{sha256(bytes(folder)).hexdigest()[:12]}"
        sockets = Path(tempfile.gettempdir()) / name
    sockets.mkdir(mode=0o700, exist_ok=True)
    owner = folder.stat()
    if os.getuid() == 0:
        os.chown(sockets, owner.st_uid, owner.st_gid, follow_symlinks=False)
    found = sockets.lstat()
    if sockets.is_symlink() or found.st_uid != owner.st_uid:
        raise ConfigurationError(f"{sockets} belongs to somebody else. Remove it and start again.")
    sockets.chmod(0o700)
    return sockets


def _leave(folder: Path, users: IO[bytes], started: int | None) -> None:
    """Release our lock; when nobody else holds one, wait until the keeper and its server have gone."""
    fcntl.flock(users, fcntl.LOCK_UN)
    users.close()
    keeper.wait_for(lambda: _used_by_others(folder) or not _keeper_lives(folder), keeper.STOP_SECONDS)
    if started is not None:
        os.waitpid(started, os.WNOHANG if _keeper_lives(folder) else 0)


def _keeper_lives(folder: Path) -> bool:
    with _open_lock(folder / "keeper") as alive:
        return not keeper.try_lock(alive, fcntl.LOCK_SH)


def _used_by_others(folder: Path) -> bool:
    with _open_lock(folder / "users") as users:
        return not keeper.try_lock(users, fcntl.LOCK_EX) and keeper.try_lock(users, fcntl.LOCK_SH)


def _open_lock(path: Path) -> IO[bytes]:
    """A lock file, of the folder's owner: root leaves nothing that the owner could not open."""
    file = path.open("ab")
    if os.getuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
    return file
