"""The quick way of the file store for new objects: a file without a name, linked to its place."""

import errno
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from app.storage import file
from app.storage.file import FileStore
from app.storage.store import PreconditionFailed, StoreUnavailable
from tests.storage.test_file import start, wait_until_ready

TEXT = "text/plain"
STUCK = """
    import os
    import sys
    from pathlib import Path
    from app.storage import file
    from app.storage.file import FileStore

    def write_half(descriptor, body):
        os.write(descriptor, body[: len(body) // 2])
        print("ready", flush=True)
        sys.stdin.readline()

    file._write_all = write_half
    store = FileStore(Path(sys.argv[1]))
    store.put("blobs/a", b"0" * 1_000_000, content_type="text/plain", if_none_match=True)
"""


def refuse_nameless(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Opening without a name fails as it does on some file systems; gives how often it was tried."""
    tried: list[int] = []
    real = os.open

    def refuse(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            tried.append(flags)
            raise OSError(number, os.strerror(number))
        return real(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    return tried


def files_in(root: Path) -> list[str]:
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != ".lock"
    )


def put_new(root: Path, body: bytes = b"1") -> str:
    return FileStore(root).put("blobs/a", body, content_type=TEXT, if_none_match=True)


def test_a_new_object_is_never_seen_under_another_name(tmp_path: Path) -> None:
    etag = put_new(tmp_path)
    assert FileStore(tmp_path).get_with_etag("blobs/a") == (b"1", etag)
    assert not (tmp_path / ".incoming").exists()
    assert files_in(tmp_path) == ["blobs/a"]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL])
def test_where_it_is_not_supported_the_object_is_written_the_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tried = refuse_nameless(monkeypatch, number)
    etag = put_new(tmp_path)
    assert len(tried) == 1
    assert FileStore(tmp_path).get_with_etag("blobs/a") == (b"1", etag)
    with pytest.raises(PreconditionFailed):
        put_new(tmp_path, b"2")
    assert files_in(tmp_path) == ["blobs/a"]


def test_without_proc_the_object_is_written_the_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "no /proc")

    with monkeypatch.context() as without:
        without.setattr(file, "_link_nameless", lambda *_: False)
        put_new(tmp_path)
    assert FileStore(tmp_path).get("blobs/a") == b"1"
    with monkeypatch.context() as without:
        without.setattr(os, "link", nowhere)
        assert not file._link_nameless(0, tmp_path / "manifests" / "b")


def test_another_failure_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_nameless(monkeypatch, errno.ENOSPC)
    with pytest.raises(StoreUnavailable, match="No space left"):
        put_new(tmp_path)
    assert files_in(tmp_path) == []


def test_a_killed_writer_leaves_nothing(tmp_path: Path) -> None:
    writer = start(STUCK, tmp_path)
    wait_until_ready(writer)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert files_in(tmp_path) == []
    put_new(tmp_path)


def in_threads(root: Path, count: int = 8) -> list[bytes]:
    """The bodies of those who won."""
    together, won = threading.Barrier(count), []

    def run(body: bytes) -> None:
        together.wait()
        try:
            put_new(root, body)
        except PreconditionFailed:
            return
        won.append(body)

    threads = [threading.Thread(target=run, args=(b"%d" % number * 100_000,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


@pytest.mark.parametrize("is_supported", [True, False])
def test_of_eight_who_make_the_same_object_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_supported: bool
) -> None:
    if not is_supported:
        refuse_nameless(monkeypatch, errno.EOPNOTSUPP)
    for number in range(20):
        root = tmp_path / str(number)
        root.mkdir()
        [winner] = in_threads(root)
        assert FileStore(root).get("blobs/a") == winner
        assert files_in(root) == ["blobs/a"]


def test_control_a_link_that_replaces_has_many_winners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(descriptor: int, path: Path) -> bool:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(Path(f"/proc/self/fd/{descriptor}").read_bytes())
        return True

    monkeypatch.setattr(file, "_link_nameless", replace)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert len(in_threads(tmp_path)) == 8
