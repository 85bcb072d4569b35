"""A disk that runs full in the middle of a publish. It is a real one, of half a megabyte."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from app.storage.file import FileStore
from app.storage.store import StoreUnavailable
from tests.conftest import Database
from tests.faults.broken_store import check_whole
from tests.publishing.world import World, world

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.getuid() != 0, reason="needs a root that may mount"),
]
KIBIBYTE = 1024


@dataclass(frozen=True)
class Disk:
    """A file system in memory that only the mount namespace of one process has."""

    process: int
    folder: Path

    @property
    def seen_from_here(self) -> Path:
        return Path(f"/proc/{self.process}/root{self.folder}")

    @property
    def free(self) -> int:
        status = os.statvfs(self.seen_from_here)
        return status.f_bavail * status.f_frsize

    def resize(self, size: int) -> None:
        """Bytes in all."""
        words = ["mount", "-o", f"remount,size={size}"]
        subprocess.run(
            ["nsenter", "--mount", f"--target={self.process}", *words, str(self.folder)], check=True
        )

    def leave_free(self, size: int) -> None:
        status = os.statvfs(self.seen_from_here)
        self.resize((status.f_blocks - status.f_bavail) * status.f_frsize + size)


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """Raises RuntimeError where root may not mount."""
    script = f"mount -t tmpfs -o size=64m none {folder} && echo mounted && exec sleep infinity"
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            if process.stdout.readline() != "mounted\n":
                raise RuntimeError(f"no file system could be mounted: {process.stderr.read()}")
            yield Disk(process.pid, folder)
        finally:
            process.kill()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path) as made:
        yield made


@pytest.fixture
async def here(database: Database, disk: Disk, anyio_backend: str) -> AsyncIterator[World]:  # noqa: ARG001 - async
    async with world(database, FileStore(disk.seen_from_here)) as made:
        yield made


async def site_of_many(here: World) -> UUID:
    site = await here.add_site()
    for number in range(20):
        await here.add_campaign(site, f"c{number}")
    await here.publish(site)
    await here.run(site, "UPDATE sites SET name = 'Renamed'")
    return site


@pytest.mark.parametrize("room", [0, 4, 64, 160])
async def test_a_full_disk_changes_nothing_and_the_next_publish_succeeds(
    here: World, disk: Disk, room: int
) -> None:
    """`room` in kibibytes is less than a release takes, so that it fails here or there."""
    site = await site_of_many(here)
    live = here.entries(site)
    disk.leave_free(room * KIBIBYTE)
    with pytest.raises(StoreUnavailable, match=r"cannot be written: No space left on device\. Check"):
        await here.publish(site)
    assert here.entries(site) == live
    check_whole(here, site)
    [row] = await here.run(site, "SELECT state, error FROM releases WHERE number = 2")
    assert row["state"] == "failed"
    assert "No space left on device" in row["error"]
    disk.resize(64 * KIBIBYTE * KIBIBYTE)
    assert (await here.publish(site)).release == 3
    assert "Renamed" in here.page(site, "/campaigns/c7/")
    check_whole(here, site)


async def test_control_with_room_the_same_publish_succeeds(here: World, disk: Disk) -> None:
    """And it takes more than the largest room above, so that each of those disks is too small."""
    site = await site_of_many(here)
    free = disk.free
    assert (await here.publish(site)).release == 2
    assert free - disk.free > 160 * KIBIBYTE


async def test_control_a_writer_in_place_leaves_a_page_cut_off(
    here: World, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps the site whole is that a body is complete before it gets its name."""

    def in_place(store: FileStore, key: str, body: bytes, **_: object) -> str:
        path = store.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(body)
        except OSError as error:
            raise StoreUnavailable(str(error)) from error
        return str(path.stat().st_mtime_ns)

    site = await site_of_many(here)
    disk.leave_free(4 * KIBIBYTE)
    monkeypatch.setattr(FileStore, "put", in_place)
    with pytest.raises(StoreUnavailable):
        await here.publish(site)
    sizes = {path.stat().st_size for path in (disk.seen_from_here / "blobs").iterdir()}
    assert min(sizes) == 0 or 4 * KIBIBYTE in sizes
