"""From the settings HUSTINGS_STORE_URL and HUSTINGS_MIRROR_URL to a store, and to a place for a mirror."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.errors import ConfigurationError
from app.storage.file import FileStore
from app.storage.s3 import S3Store
from app.storage.s3_address import EXAMPLE, is_s3, parse_address
from app.storage.store import ObjectStore, StoreUnavailable
from app.storage.web_bucket import WebBucket
from app.storage.web_folder import WebFolder
from app.storage.web_trees import WebTrees

MIRROR = "HUSTINGS_MIRROR_URL"


def open_store(url: str | None, default: Path) -> ObjectStore:
    """The store that `url` names, or the folder `default`. Makes the folder and sweeps old leftovers.

    Raises ConfigurationError when the address cannot be used, the folder cannot be made, or the service says
    that there is no such bucket or that it may not be read. A service that does not answer is opened: it may
    be back for the first call.
    """
    if url is not None and is_s3(url):
        return _open_bucket(url)
    root = default if url is None else _folder(url)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The object store's folder {root} cannot be made: {error.strerror}. "
            "Give HUSTINGS_STORE_URL a folder that this user may write to."
        ) from error
    store = FileStore(root.absolute())
    with suppress(StoreUnavailable):  # reading may still work; the first write says what is wrong
        store.sweep()
    return store


def open_web(url: str) -> WebFolder | WebBucket:
    """What a plain web server takes its files from; makes the folder.

    Raises ConfigurationError as `open_store` does.
    """
    with _as_mirror():
        if is_s3(url):
            return WebBucket(replace(parse_address(url), setting=MIRROR))
        return WebFolder(_made(url))


def open_trees(url: str) -> WebTrees:
    """The same for whole trees, which need a folder."""
    with _as_mirror():
        if is_s3(url):
            raise ConfigurationError("Trees for nginx need a folder: a bucket cannot switch at once.")
        return WebTrees(_made(url))


def _made(url: str) -> Path:
    root = _folder(url).absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The mirror's folder {root} cannot be made: {error.strerror}. "
            f"Give {MIRROR} a folder that this user may write to."
        ) from error
    return root


@contextmanager
def _as_mirror() -> Iterator[None]:
    """The same sentences, with the name of the other setting."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(error.detail.replace("HUSTINGS_STORE_URL", MIRROR)) from None


def polling_seconds(store: ObjectStore) -> float:
    """How often to look for a new release that no notification told of: a listing of a bucket costs money."""
    return 5.0 if isinstance(store, S3Store) else 0.5


def _open_bucket(url: str) -> S3Store:
    store = S3Store(parse_address(url))
    with suppress(StoreUnavailable):
        store.check()
    return store


def _folder(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ConfigurationError(
            f"HUSTINGS_STORE_URL must look like file:///srv/hustings/store or {EXAMPLE}."
        )
    return Path(unquote(parts.path))
