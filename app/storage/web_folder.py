"""A folder that a plain web server serves, or that is copied to where one does."""

import fcntl
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from app.storage.file import FileStore
from app.storage.store import StoreUnavailable
from app.storage.web import PRIVATE, RESERVED, Taken, WebFile, check_name

INCOMING = ".incoming"
_FEW = 64


class WebFolder:
    """Files below `root`, which must exist. Content types are the web server's business, by the ending."""

    has_folders = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self.notes = FileStore(root)

    def __repr__(self) -> str:
        return f"the folder {self.root}"

    def lease(self) -> "FolderLease":
        """Whoever has it is the only writer, so what killed ones left is removed."""
        with failures(self.root):
            lease = FolderLease(self.root)
        self.notes.sweep(timedelta(0))
        return lease

    def is_empty(self) -> bool:
        with failures(self.root):
            return all(child.name in RESERVED for child in self.root.iterdir())

    def put(self, file: WebFile) -> None:
        path = self._path(file.name)
        with failures(self.root):
            temporary = write_new(self.root, file.body)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    def holds(self, name: str, mark: str, is_body: Callable[[bytes], bool]) -> bool:  # noqa: ARG002 - no room
        try:
            with failures(self.root):
                return is_body(self._path(name).read_bytes())
        except StoreUnavailable as error:
            if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
                return False
            raise

    def delete(self, name: str) -> None:
        """And the folders that this leaves empty."""
        path = self._path(name)
        with failures(self.root):
            with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                path.unlink()
            with suppress(OSError):
                for folder in path.relative_to(self.root).parents[:-1]:
                    (self.root / folder).rmdir()

    def settle(self, names: Iterable[str]) -> None:
        paths = [self._path(name) for name in names]
        with failures(self.root):
            if len(paths) > _FEW:
                os.sync()
                return
            folders = {folder for path in paths for folder in path.parents}
            for path in (*paths, *(folder for folder in folders if folder.is_relative_to(self.root))):
                sync(path)

    def _path(self, name: str) -> Path:
        """Never outside the root, not by a link inside it either."""
        path = self.root / check_name(name)
        with failures(self.root):
            if not path.parent.resolve().is_relative_to(self.root.resolve()):
                raise StoreUnavailable(
                    f"{path.parent} is a link that leads out of {self.root}. Remove the link, and try again."
                )
        return path


class FolderLease:
    """A lock that the kernel frees when its holder dies. Raises Taken."""

    def __init__(self, root: Path) -> None:
        path = root / PRIVATE / "lock"
        path.parent.mkdir(exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 200, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise Taken(
                f"Another mirror writes to {root} just now ({holder or 'it has only begun'}). "
                "Nothing was changed; try again when it has ended."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def keep(self) -> None:
        """Held as long as this process lives."""

    def release(self) -> None:
        os.close(self._descriptor)


@contextmanager
def failures(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"The folder {root} cannot be used: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}. "
            "Check that it exists, that this user may write to it, and that the disk has room."
        ) from error


def write_new(root: Path, body: bytes) -> Path:
    """A new file beside the others, under a name that nobody serves."""
    incoming = root / INCOMING
    incoming.mkdir(exist_ok=True)
    path = incoming / f"{os.getpid()}-{secrets.token_hex(8)}"
    try:
        path.write_bytes(body)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
