"""The files of a pack: listed once, read safely, each claimed by the part that knows it."""

import os
import stat
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

from app.packs.problems import Problems, refuse

IGNORED = "README.md"
LIMITS = {".md": 1_000_000, ".toml": 1_000_000, ".csv": 64_000_000}
"""Bytes that a file of this ending may have."""
LARGEST = 20_000_000
"""Bytes that any other file may have: pictures."""


class PackFolder:
    """`files` maps each relative path, with slashes and sorted, to where it lies.

    Names that start with a dot and README.md are not seen. Links that leave the folder, links to folders and
    what is no plain file are problems.
    """

    def __init__(self, root: Path, problems: Problems) -> None:
        if not root.is_dir():
            raise refuse(str(root), "is not a folder; name the folder that holds the pack's site.toml")
        if not (root / "site.toml").is_file():
            raise refuse(str(root), "is not a content pack: it holds no site.toml")
        self._root = root.resolve()
        self._problems = problems
        self._claimed: set[str] = set()
        self.files = dict(sorted(self._walk(self._root, "")))
        self._names = list(self.files)

    def claim(self, name: str) -> None:
        """Say that `name` is known; what nobody claims is a problem."""
        self._claimed.add(name)

    def below(self, folder: str) -> list[str]:
        """The files in `folder` and in its folders, sorted. Zero is the character after the slash."""
        start = bisect_left(self._names, f"{folder}/")
        return self._names[start : bisect_left(self._names, f"{folder}0", lo=start)]

    def body(self, name: str) -> bytes | None:
        """The bytes, or None with a problem when the file is too large or cannot be read."""
        self.claim(name)
        path = self.files[name]
        limit = LIMITS.get(path.suffix, LARGEST)
        try:
            if path.stat().st_size > limit:
                self._problems.add(name, f"is larger than {limit // 1_000_000} MB; make it smaller")
                return None
            return path.read_bytes()
        except OSError as error:
            self._problems.add(name, f"cannot be read: {error.strerror}")
            return None

    def text(self, name: str) -> str | None:
        """UTF-8 with or without a byte order mark, line ends as `\\n`; None with a problem otherwise."""
        body = self.body(name)
        if body is None:
            return None
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
            wrong = f"byte {error.start} (0x{body[error.start]:02x}) is not UTF-8; save the file as UTF-8"
            self._problems.add(name, wrong, line=line)
            return None
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            self._problems.add(name, "holds a NUL character; remove it", line=line)
            return None
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def report_unclaimed(self) -> None:
        for name in self.files.keys() - self._claimed:
            self._problems.add(name, "is not a file that a pack may hold; rename or remove it")

    def _walk(self, folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name != IGNORED:
                    yield from self._visit(entry, prefix + entry.name)

    def _visit(self, entry: "os.DirEntry[str]", name: str) -> Iterator[tuple[str, Path]]:
        if not name.isprintable():  # what is not UTF-8 is not printable either
            self._problems.add(ascii(name), "has a name that cannot be shown; rename it")
        elif entry.is_dir(follow_symlinks=False):
            yield from self._walk(Path(entry.path), name + "/")
        elif self._is_inside(entry, name):
            yield name, Path(entry.path)

    def _is_inside(self, entry: "os.DirEntry[str]", name: str) -> bool:
        wrong = ""
        try:
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self._root):
                wrong = "is a link that leads out of the pack; put the file itself here"
            elif not stat.S_ISREG(entry.stat().st_mode):
                wrong = "is neither a file nor a folder; remove it"
        except OSError as error:
            wrong = f"cannot be read: {error.strerror}"
        if wrong:
            self._problems.add(name, wrong)
        return not wrong
