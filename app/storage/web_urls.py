"""From the setting HUSTINGS_MIRROR_URL to a place for a mirror."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from app.errors import ConfigurationError
from app.storage.s3_address import is_s3, parse_address
from app.storage.urls import folder_of
from app.storage.web_bucket import WebBucket
from app.storage.web_folder import WebFolder
from app.storage.web_trees import WebTrees

MIRROR = "HUSTINGS_MIRROR_URL"


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
    root = folder_of(url).absolute()
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
