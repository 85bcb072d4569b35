"""What the file store owes beyond the contract: processes, kills, full disks, lost folders."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from app.storage.file import FileStore
from app.storage.store import StoreUnavailable

TEXT = "text/plain"

COUNTER = """
    import sys
    from pathlib import Path
    from app.storage.file import FileStore
    from app.storage.store import PreconditionFailed

    store, turns = FileStore(Path(sys.argv[1])), 0
    print("ready", flush=True)
    sys.stdin.readline()
    while turns < 200:
        body, etag = store.get_with_etag("live/count")
        try:
            store.put("live/count", b"%d" % (int(body) + 1), content_type="text/plain", if_match=etag)
        except PreconditionFailed:
            continue
        turns += 1
"""

READER = """
    import sys
    from pathlib import Path
    from app.storage.file import FileStore
    from app.storage.store import PreconditionFailed

    store = FileStore(Path(sys.argv[1]))
    body, etag = store.get_with_etag("live/count")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        over = etag if sys.argv[2] == "compare" else None
        store.put("live/count", b"%d" % (int(body) + 1), content_type="text/plain", if_match=over)
    except PreconditionFailed:
        sys.exit(3)
"""

WRITER = """
    import sys
    from pathlib import Path
    from app.storage.file import FileStore

    store = FileStore(Path(sys.argv[1]))
    store.put("live/a", b"0" * 3_000_000, content_type="text/plain")
    print("ready", flush=True)
    while True:
        for letter in b"123456789":
            store.put("live/a", bytes([letter]) * 3_000_000, content_type="text/plain")
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def in_two_processes(script: str, root: Path, *arguments: str) -> list[int]:
    """Both run up to "ready", and on together; returns their exit codes, sorted."""
    FileStore(root).put("live/count", b"0", content_type=TEXT)
    processes = [start(script, root, *arguments) for _ in range(2)]
    for process in processes:
        wait_until_ready(process)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    return sorted(process.returncode for process in processes)


def test_two_processes_that_compare_and_swap_lose_no_turn(tmp_path: Path) -> None:
    assert in_two_processes(COUNTER, tmp_path) == [0, 0]
    assert FileStore(tmp_path).get("live/count") == b"400"


def test_of_two_processes_that_read_the_same_one_may_write(tmp_path: Path) -> None:
    assert in_two_processes(READER, tmp_path, "compare") == [0, 3]
    assert FileStore(tmp_path).get("live/count") == b"1"


def test_control_two_processes_that_do_not_compare_lose_a_turn(tmp_path: Path) -> None:
    assert in_two_processes(READER, tmp_path, "blind") == [0, 0]
    assert FileStore(tmp_path).get("live/count") == b"1"


def test_a_killed_writer_leaves_a_whole_object_and_no_key(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    for _ in range(5):
        writer = start(WRITER, tmp_path)
        wait_until_ready(writer)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        body = store.get("live/a")
        assert len(body) == 3_000_000
        assert len(set(body)) == 1
        assert [stored.key for stored in store.list("")] == ["live/a"]
    store.put("live/a", b"after", content_type=TEXT, if_match=store.stat("live/a").etag)
    assert store.get("live/a") == b"after"


def test_old_leftovers_are_swept_and_a_writer_at_work_is_not(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("blobs/a", b"1", content_type=TEXT)
    old, young = tmp_path / ".incoming" / "1-old", tmp_path / ".incoming" / "2-young"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    two_hours_ago = old.stat().st_mtime - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))
    assert store.sweep() == 1
    assert not old.exists()
    assert young.exists()
    assert store.sweep(timedelta(seconds=-1)) == 1
    assert store.get("blobs/a") == b"1"


def test_a_full_disk_is_a_sentence_and_changes_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("live/a", b"before", content_type=TEXT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(StoreUnavailable, match=r"cannot be written: .* the disk has room") as caught:
            store.put("live/a", b"x" * 50_000, content_type=TEXT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path) in str(caught.value)
    assert store.get("live/a") == b"before"
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_a_lost_folder_is_a_broken_store_and_not_an_empty_one(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "gone")
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        store.get("live/a")
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        list(store.list("live/"))
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        store.put("live/a", b"", content_type=TEXT)


def test_a_file_where_the_folder_should_be_is_a_broken_store(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        FileStore(tmp_path / "store").put("a", b"", content_type=TEXT)


def test_a_file_that_goes_while_it_is_listed_is_left_out(tmp_path: Path) -> None:
    """A dangling link looks to the reader like a file deleted between the listing and the look at it."""
    store = FileStore(tmp_path)
    store.put("blobs/a", b"1", content_type=TEXT)
    (tmp_path / "blobs" / "b").symlink_to(tmp_path / "nowhere")
    assert [stored.key for stored in store.list("blobs/")] == ["blobs/a"]


@pytest.mark.parametrize("many", [2, 100])
def test_what_is_gone_does_not_survive_a_power_cut(tmp_path: Path, many: int) -> None:
    """The last look before a release goes live: somebody may have deleted what it needs."""
    store = FileStore(tmp_path)
    keys = [f"blobs/{number}" for number in range(many)]
    for key in keys:
        store.put(key, b"x", content_type="text/plain")
    store.sync(keys)
    store.delete(keys[-1])
    with pytest.raises(StoreUnavailable, match="No such file"):
        store.sync(keys)
