"""Pages of a list by cursor: where the last page ended, signed so that nobody can make one up."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")
R = TypeVar("R")

_SIGNATURE = 12
"""Bytes of the HMAC that are kept: enough against guessing, and short in a URL."""
_LONGEST = 512


class BadCursor(ValueError):
    """Not a cursor of this program, or one of another list, site or filter."""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None
    total: int | None
    """Of all pages together; null where counting would cost more than the page."""


class Cursors:
    """Writes and reads cursors of one installation; `listing` names all that stays between pages."""

    def __init__(self, secret_key: str) -> None:
        self._key = hashlib.sha256(b"hustings cursor\0" + secret_key.encode()).digest()

    def write(self, listing: str, position: str) -> str:
        body = position.encode()
        return base64.urlsafe_b64encode(self._sign(listing, body) + body).rstrip(b"=").decode()

    def read(self, listing: str, cursor: str) -> str:
        """The position. Raises BadCursor."""
        try:
            given = cursor[:_LONGEST].encode("ascii")
            raw = base64.b64decode(given + b"=" * (-len(given) % 4), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise BadCursor(cursor[:80]) from None
        signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._sign(listing, body)):
            raise BadCursor(cursor[:80])
        return body.decode()

    def _sign(self, listing: str, body: bytes) -> bytes:
        return hmac.digest(self._key, f"{listing}\0".encode() + body, "sha256")[:_SIGNATURE]


def cut_page(rows: Sequence[R], limit: int, cursor: Callable[[R], str]) -> tuple[list[R], str | None]:
    """Of `limit + 1` rows the first `limit`, and a cursor made from the last of them when more follow."""
    shown = list(rows[:limit])
    return shown, cursor(shown[-1]) if len(rows) > limit else None
