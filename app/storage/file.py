"""A store in a folder, for one host.

A body is written under a temporary name in `.incoming/` and renamed, so readers see all of it or none. Names
that start with a dot are not keys: leftovers of killed writers are never listed, and `sweep` removes them.
"""

import ctypes
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.storage.store import (
    ObjectNotFound,
    PreconditionFailed,
    Stored,
    StoreUnavailable,
    check_key,
    check_prefix,
)

_syncfs = ctypes.CDLL(None, use_errno=True).syncfs
_INCOMING = ".incoming"
_LOCK = ".lock"
_FEW = 64
"""Up to here files are synced one by one; above, one sync of the whole file system is faster."""


class FileStore:
    """Objects are files below `root`, which must exist. Safe for threads and processes of one host."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, key: str) -> bytes:
        return self.get_with_etag(key)[0]

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        with self._reading(key) as path, path.open("rb") as file:
            return file.read(), _etag(os.fstat(file.fileno()))

    def stat(self, key: str) -> Stored:
        with self._reading(key) as path:
            return _stored(key, path.stat())

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,  # noqa: ARG002 - the manifest holds it; S3 wants it beside the object
        if_none_match: bool = False,
        if_match: str | None = None,
        durable: bool = False,
    ) -> str:
        path = self._path(key)
        with self._failures("written"):
            if if_none_match and path.exists():
                raise PreconditionFailed(f"{key} is already in the store.")
            if if_none_match and not durable and (placed := self._place_new(path, body)):
                return placed
            temporary = self._write(body, durable=durable)
            try:
                etag = _etag(temporary.stat())
                path.parent.mkdir(parents=True, exist_ok=True)
                self._place(temporary, path, if_none_match=if_none_match, if_match=if_match)
            finally:
                temporary.unlink(missing_ok=True)
            if durable:
                _sync_folders(path, self.root)
        return etag

    def list(self, prefix: str) -> Iterator[Stored]:
        check_prefix(prefix)
        with self._failures("read"):
            if not self.root.is_dir():
                raise FileNotFoundError(errno.ENOENT, "the folder is not there")
            found = list(_walk(self.root, prefix.rpartition("/")[0], prefix))
        yield from sorted(found, key=lambda stored: stored.key)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._failures("written"), self._locked(fcntl.LOCK_SH):
            try:
                path.unlink(missing_ok=True)
            except (IsADirectoryError, NotADirectoryError):
                return

    def sync(self, keys: Iterable[str]) -> None:
        paths = [self._path(key) for key in keys]
        with self._failures("written"):
            if len(paths) > _FEW:
                _sync_file_system(self.root)
                for path in paths:
                    os.stat(path)  # noqa: PTH116 - what is not there is a failure here too; a third of the time
                return
            for path in paths:
                _sync(path)
            for folder in {path.parent for path in paths}:
                _sync_folders(folder / "-", self.root)

    def sweep(self, older_than: timedelta = timedelta(hours=1)) -> int:
        """Removes what killed writers left behind; a writer at work is younger. Returns how many files."""
        swept = 0
        limit = time.time() - older_than.total_seconds()
        with self._failures("written"):
            for path in (self.root / _INCOMING).glob("*"):
                if _modified(path) < limit:
                    path.unlink(missing_ok=True)
                    swept += 1
        return swept

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _write(self, body: bytes, *, durable: bool) -> Path:
        incoming = self.root / _INCOMING
        incoming.mkdir(exist_ok=True)
        path = incoming / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            with path.open("xb", buffering=0) as file:
                _write_all(file.fileno(), body)
                if durable:
                    os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _place_new(self, path: Path, body: bytes) -> str | None:
        """The quick way for what is not there yet: a file without a name, which is linked to its place.

        It needs no lock, for a link never replaces; a writer that is killed leaves nothing. None where the
        file system or the lack of /proc does not allow it.
        """
        try:
            descriptor = os.open(self.root, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                return None
            raise
        try:
            _write_all(descriptor, body)
            etag = _etag(os.fstat(descriptor))
            return etag if _link_nameless(descriptor, path) else None
        finally:
            os.close(descriptor)

    def _place(self, temporary: Path, path: Path, *, if_none_match: bool, if_match: str | None) -> None:
        """Under the lock, shared by those who compare nothing: a comparison holds until its rename."""
        with self._locked(fcntl.LOCK_SH if if_match is None else fcntl.LOCK_EX):
            if if_none_match:
                _link_new(temporary, path)
                return
            if if_match is not None and _etag_of(path) != if_match:
                raise PreconditionFailed(f"{path.relative_to(self.root)} was written by somebody else.")
            temporary.replace(path)

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        """The kernel frees the lock of a process that dies."""
        descriptor = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _reading(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        with self._failures("read"):
            try:
                yield path
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                if not self.root.is_dir():
                    raise
                raise ObjectNotFound(f"{key} is not in the store.") from None

    @contextmanager
    def _failures(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreUnavailable(
                f"The object store at {self.root} cannot be {verb}: {reason}. "
                "Check that the folder exists, that this user has rights to it, and that the disk has room."
            ) from error


def _write_all(descriptor: int, body: bytes) -> None:
    """With an exact time: the kernel ticks too coarsely for etags."""
    remaining = memoryview(body)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]
    os.utime(descriptor, ns=(now := time.time_ns(), now))


def _link_nameless(descriptor: int, path: Path) -> bool:
    """False without /proc. Raises PreconditionFailed when the place is taken."""
    for _ in range(2):
        try:
            # A folder's descriptor makes Python call linkat, which follows the link in /proc.
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
        except FileExistsError:
            raise PreconditionFailed(f"{path.name} is already in the store.") from None
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            return True
    return False


def _link_new(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise PreconditionFailed(f"{path.name} is already in the store.") from None


def _walk(root: Path, folder: str, prefix: str) -> Iterator[Stored]:
    try:
        children = os.scandir(root / folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with children:
        for child in children:
            key = f"{folder}/{child.name}" if folder else child.name
            if child.name.startswith(".") or not (key.startswith(prefix) or prefix.startswith(f"{key}/")):
                continue
            if child.is_dir():
                yield from _walk(root, key, prefix)
            elif (status := _status(Path(child.path))) is not None:
                yield _stored(key, status)


def _status(path: Path) -> os.stat_result | None:
    """None for a file that was deleted meanwhile."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _modified(path: Path) -> float:
    status = _status(path)
    return time.time() if status is None else status.st_mtime


def _etag_of(path: Path) -> str | None:
    status = _status(path)
    return None if status is None else _etag(status)


def _etag(status: os.stat_result) -> str:
    """Files are never written in place: another body has another time, and mostly another inode."""
    return f"{status.st_mtime_ns:x}-{status.st_ino:x}-{status.st_size:x}"


def _stored(key: str, status: os.stat_result) -> Stored:
    return Stored(key, status.st_size, _etag(status), datetime.fromtimestamp(status.st_mtime, UTC))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file_system(root: Path) -> None:
    """All that is written in the file system of the store, but not on other disks, which may be busy."""
    descriptor = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _syncfs(descriptor) != 0:
            failure = ctypes.get_errno()
            raise OSError(failure, os.strerror(failure))
    finally:
        os.close(descriptor)


def _sync_folders(path: Path, root: Path) -> None:
    """The folders from the file's up to the root: each may have got its name a moment ago."""
    for folder in path.parents:
        _sync(folder)
        if folder == root:
            break
