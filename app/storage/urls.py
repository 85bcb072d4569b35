"""From the setting HUSTINGS_STORE_URL to a store."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.errors import ConfigurationError
from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from app.storage.s3_address import EXAMPLE, is_s3, parse_address
from app.storage.store import ObjectStore, StoreUnavailable


def open_store(url: str | None, default: Path) -> ObjectStore:
    """The store that `url` names, or the folder `default`. Makes the folder and sweeps old leftovers.

    Raises ConfigurationError when the address cannot be used, the folder cannot be made, or the service says
    that there is no such bucket or that it may not be read. A service that does not answer is opened: it may
    be back for the first call.
    """
    if url is not None and is_s3(url):
        return _open_bucket(url)
    root = default if url is None else folder_of(url)
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


def polling_seconds(store: ObjectStore) -> float:
    """How often to look for a new release that no notification told of: a listing of a bucket costs money."""
    return 0.5 if isinstance(store, FileStore | MemoryStore) else 5.0


def _open_bucket(url: str) -> ObjectStore:
    # Only here: who publishes to a folder shall not wait for the client of S3 to be loaded.
    from app.storage.s3 import S3Store  # noqa: PLC0415

    store = S3Store(parse_address(url))
    with suppress(StoreUnavailable):
        store.check()
    return store


def folder_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ConfigurationError(
            f"HUSTINGS_STORE_URL must look like file:///srv/hustings/store or {EXAMPLE}."
        )
    return Path(unquote(parts.path))
