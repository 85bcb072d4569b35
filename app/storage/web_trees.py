"""A folder in which each release is a tree of hard links, and a link that says which of them is live.

    current -> releases/12-57          switched by one rename
    releases/12-57/                    a whole release; under a name with a dot as long as it is built
    blobs/ab/abcd…                     each body once; what no tree links to has one link and is swept

The time of a blob is made of its name, because nginx makes its etags of time and size: two bodies never share
one, and the same body keeps its own from release to release.
"""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from app.storage.store import StoreUnavailable
from app.storage.web import LONGEST, RESERVED, check_name
from app.storage.web_folder import FolderLease, failures, sync, write_new

CURRENT = "current"
RELEASES = "releases"
BLOBS = "blobs"
NOTE = "mirror.json.gz"
_TIDY = "tidy"
_OWN = RESERVED | {CURRENT, RELEASES, BLOBS}
_EPOCH = 1_577_836_800
"""2020; the first digits of a name make it a second of the four years after."""


class WebTrees:
    """All methods block and raise StoreUnavailable. Everything but `live` wants the lease."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"the folder {self.root}"

    def lease(self) -> FolderLease:
        with failures(self.root):
            return FolderLease(self.root)

    def is_own(self) -> bool:
        """Whether nothing else lies in the folder than this layout."""
        with failures(self.root):
            return all(child.name in _OWN for child in self.root.iterdir())

    def live(self) -> str | None:
        """The name of the tree that is served."""
        with failures(self.root):
            try:
                return (self.root / CURRENT).readlink().name
            except FileNotFoundError:
                return None

    def note(self, tree: str) -> bytes | None:
        with failures(self.root):
            try:
                return (self.root / RELEASES / tree / NOTE).read_bytes()
            except FileNotFoundError:
                return None

    def has(self, blob: str, size: int) -> bool:
        """A power cut may have left less of it."""
        with failures(self.root):
            try:
                return self._blob(blob).stat().st_size == size
            except FileNotFoundError:
                return False

    def keep(self, blob: str, body: bytes) -> None:
        """`blob` starts with hexadecimal digits that differ for different bodies."""
        path = self._blob(blob)
        with failures(self.root):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = write_new(self.root, body)
            try:
                seconds = _EPOCH + int(blob[:7], 16) // 2
                os.utime(temporary, (seconds, seconds))
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    def begin(self, tree: str) -> None:
        """An empty tree that nobody sees; what earlier runs left unfinished is removed."""
        with failures(self.root):
            releases = self.root / RELEASES
            releases.mkdir(exist_ok=True)
            for path in [*releases.glob(".*"), releases / tree]:
                if path.exists() and path.name != self.live():
                    shutil.rmtree(path)
            shutil.rmtree(self.root / ".incoming", ignore_errors=True)
            self._building(tree).mkdir()

    def link(self, tree: str, name: str, blob: str) -> bool:
        """Places a blob in the tree; False when there is no such blob. A tree has as many as the site."""
        path, target = f"{self._building(tree)}/{check_name(name, LONGEST)}", str(self._blob(blob))
        with failures(self.root):
            try:
                self._link(target, path, blob)
            except FileNotFoundError:  # no such folder yet, or no such blob
                os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - a third of the time
                try:
                    self._link(target, path, blob)
                except FileNotFoundError:
                    return False
            return True

    def _link(self, target: str, path: str, blob: str) -> None:
        try:
            os.link(target, path)
        except OSError as error:
            if error.errno != errno.EMLINK:
                raise
            self._renew(blob)
            os.link(target, path)

    def lead(self, tree: str, name: str, to: str) -> None:
        """A link from `name` to the empty folder `to`, both in the tree."""
        building = self._building(tree)
        path, target = building / check_name(name, LONGEST), building / check_name(to, LONGEST)
        with failures(self.root):
            target.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(os.path.relpath(target, path.parent))

    def finish(self, tree: str, note: bytes) -> None:
        """The tree is whole, and survives a power cut, once this returns."""
        with failures(self.root):
            (self._building(tree) / NOTE).write_bytes(note)
            os.sync()
            self._building(tree).rename(self.root / RELEASES / tree)
            sync(self.root / RELEASES)

    def switch(self, tree: str) -> None:
        """From one moment to the next every request is answered from this tree."""
        with failures(self.root):
            fresh = self.root / ".incoming" / CURRENT
            fresh.parent.mkdir(exist_ok=True)
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(Path(RELEASES) / tree)
            fresh.replace(self.root / CURRENT)
            sync(self.root)

    def trees(self) -> list[str]:
        """Whole ones, in no order."""
        with failures(self.root):
            releases = self.root / RELEASES
            return [path.name for path in releases.iterdir() if not path.name.startswith(".")]

    def remove(self, tree: str) -> None:
        with failures(self.root):
            going = self.root / RELEASES / f".{tree}"
            (self.root / RELEASES / tree).rename(going)
            shutil.rmtree(going)

    def scrub(self, tree: str, name: str) -> None:
        """Takes one file out of a whole tree."""
        with failures(self.root), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            (self.root / RELEASES / tree / check_name(name, LONGEST)).unlink()

    def is_tidy(self, tree: str) -> bool:
        """Whether the run that made the tree came to its end."""
        with failures(self.root):
            return (self.root / RELEASES / tree / _TIDY).exists()

    def tell_tidy(self, tree: str) -> None:
        with failures(self.root):
            (self.root / RELEASES / tree / _TIDY).touch()

    def sweep(self) -> int:
        """Deletes the blobs that no tree links to, and returns how many."""
        swept = 0
        with failures(self.root):
            for path in (self.root / BLOBS).glob("*/*"):
                if path.stat().st_nlink == 1:
                    path.unlink()
                    swept += 1
        return swept

    def _renew(self, blob: str) -> None:
        """File systems count links, ext4 up to 65,000: a copy begins to count anew."""
        self.keep(blob, self._blob(blob).read_bytes())

    def _building(self, tree: str) -> Path:
        return self.root / RELEASES / f".{tree}"

    def _blob(self, blob: str) -> Path:
        if "/" in blob or blob.startswith("."):
            raise StoreUnavailable(f"No blob can be named {blob[:80]!r}.")
        return self.root / BLOBS / blob[:2] / blob
