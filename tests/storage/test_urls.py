import os
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.storage.file import FileStore
from app.storage.s3 import S3Store
from app.storage.s3_address import parse_address
from app.storage.urls import open_store, polling_seconds
from tests.storage.ceph import Ceph


def test_without_an_address_the_default_folder_is_made_and_opened(tmp_path: Path) -> None:
    store = open_store(None, tmp_path / "data" / "build")
    store.put("a", b"1", content_type="text/plain")
    assert (tmp_path / "data" / "build" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("start", ["file://", "file://localhost"])
def test_a_file_address_names_a_folder_also_with_escapes(tmp_path: Path, start: str) -> None:
    folder = tmp_path / "my store"
    store = open_store(f"{start}{str(folder).replace(' ', '%20')}", tmp_path / "other")
    assert isinstance(store, FileStore)
    assert store.root == folder
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("url", ["file://host/a", "file:relative", "http://localhost/a", "s3://bucket", ""])
def test_any_other_address_is_a_sentence(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="HUSTINGS_STORE_URL must look like file:///"):
        open_store(url, tmp_path)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        open_store(None, tmp_path / "file" / "store")


def test_opening_sweeps_old_leftovers(tmp_path: Path) -> None:
    leftover = tmp_path / ".incoming" / "1-old"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    open_store(None, tmp_path)
    assert not leftover.exists()


def test_a_store_that_cannot_be_swept_still_opens(tmp_path: Path) -> None:
    leftover = tmp_path / ".incoming" / "a-folder"
    leftover.mkdir(parents=True)
    os.utime(leftover, (0, 0))
    assert isinstance(open_store(None, tmp_path), FileStore)


def test_an_s3_address_opens_its_bucket(ceph: Ceph, tmp_path: Path) -> None:
    store = open_store(ceph.url(ceph.new_bucket()), tmp_path / "unused")
    store.put("a", b"1", content_type="text/plain")
    assert store.get("a") == b"1"
    assert not (tmp_path / "unused").exists()


def test_a_bucket_that_is_not_there_stops_the_start_with_a_sentence(ceph: Ceph, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"bucket nowhere, .*: the bucket does not exist"):
        open_store(ceph.url("nowhere"), tmp_path)


def test_wrong_credentials_stop_the_start_with_a_sentence(ceph: Ceph, tmp_path: Path) -> None:
    url = ceph.url(ceph.new_bucket(), secret="no-such-secret")
    with pytest.raises(ConfigurationError, match="does not accept the credentials") as caught:
        open_store(url, tmp_path)
    assert "no-such-secret" not in str(caught.value)


def test_a_service_that_is_away_does_not_stop_the_start(tmp_path: Path) -> None:
    """A server goes on trying; what it was opened for says what is wrong."""
    store = open_store("s3+http://key:secret@127.0.0.1:1/bucket", tmp_path)
    assert isinstance(store, S3Store)


def test_a_bucket_is_polled_less_often_than_a_folder(tmp_path: Path) -> None:
    bucket = S3Store(parse_address("s3+http://key:secret@127.0.0.1:1/bucket"))
    assert polling_seconds(FileStore(tmp_path)) < polling_seconds(bucket) <= 10
