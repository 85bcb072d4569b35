"""Where the tests write: into memory if there is room; copying a database on a disk takes half a second."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - shared memory, as every Linux has it
ROOM = 4 * 1024**3
"""Bytes. Containers often have a few megabytes there."""


def write_into_memory() -> None:
    """From here on temporary files of this process and its children; TMPDIR, when it is set, is obeyed."""
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it is asked for once and remembered


@contextmanager
def data_folder() -> Iterator[Path]:
    """For a cluster. Root's would lie in /var/lib: it lies beside the other temporary files instead."""
    with tempfile.TemporaryDirectory(prefix="hustings-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's own user has to get through
        if os.getuid() == 0:
            (folder / "data").mkdir()
            (folder / "data" / "cluster").symlink_to(folder / "cluster")
        yield folder / "data"
        shutil.rmtree(folder / "cluster", ignore_errors=True)


def _has_room(folder: Path) -> bool:
    try:
        status = os.statvfs(folder)
    except OSError:
        return False
    may_run_programs = not status.f_flag & os.ST_NOEXEC
    return may_run_programs and status.f_bavail * status.f_frsize >= ROOM and os.access(folder, os.W_OK)
