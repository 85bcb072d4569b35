"""A store in a bucket of an S3 service, for any number of machines."""

from builtins import list as List  # noqa: N812 - `list` is a verb of the store
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta

from app.errors import ConfigurationError
from app.storage.s3_address import Address
from app.storage.s3_calls import Calls, Headers, Patience, Refused
from app.storage.s3_conditions import Conditions
from app.storage.s3_proofs import Proofs
from app.storage.s3_uploads import Uploads
from app.storage.store import (
    ObjectNotFound,
    PreconditionFailed,
    Stored,
    check_key,
    check_prefix,
)

MEBIBYTE = 1024 * 1024
LONGEST_SIGNATURE = timedelta(days=7)


class S3Store:
    """Objects are objects of `address.bucket`, which must exist. Safe for threads and forks.

    Bodies larger than `part_size` (bytes) go up in parts; `page_size` is how many keys are listed at a time.
    """

    def __init__(
        self,
        address: Address,
        *,
        patience: Patience | None = None,
        part_size: int = 16 * MEBIBYTE,
        page_size: int = 1000,
    ) -> None:
        self._calls = Calls(address, patience or Patience())
        self._conditions = Conditions(self._calls)
        self._uploads = Uploads(self._calls, part_size=part_size)
        self._proofs = Proofs(self._calls, page_size=page_size)
        self._part_size = part_size
        self._page_size = page_size

    def __repr__(self) -> str:
        return f"S3Store({self._calls.address})"

    def check(self) -> None:
        """One call, tried once, because somebody waits for the start.

        Raises ConfigurationError when the bucket is not there or may not be read, and StoreUnavailable when
        there is no answer.
        """
        try:
            Calls(self._calls.address, Patience(attempts=1, read=3.0)).page("live/", None, 1)
        except Refused as refusal:
            raise ConfigurationError(self._calls.refused("list", "live/", refusal).detail) from refusal

    def compares(self) -> bool:
        """Whether the service holds to conditions; asked once, by writing a small object."""
        return self._conditions.are_kept()

    def get(self, key: str) -> bytes:
        return self.get_with_etag(key)[0]

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        check_key(key)
        try:
            return self._calls.get(key)
        except Refused as refusal:
            raise self._missing_or_refused("read", key, refusal) from refusal

    def stat(self, key: str) -> Stored:
        check_key(key)
        try:
            return self._calls.head(key)
        except Refused as refusal:
            if refusal.status == 404:  # a HEAD does not tell a missing object from a missing bucket
                self._list_page(key, None, 1)
            raise self._missing_or_refused("look at", key, refusal) from refusal

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        if_none_match: bool = False,
        if_match: str | None = None,
        durable: bool = False,
    ) -> str:
        """Over a known etag always in one piece, because not every service compares at the end of many.

        The service answers when it has stored; what is not `durable` is looked at again by `sync`.
        """
        self._proofs.forget(check_key(key))
        condition: Headers = {}
        if if_match is not None:
            condition = self._conditions.over(if_match)
        elif if_none_match:
            condition = self._conditions.where_nothing_is()
        try:
            etag = self._put(key, body, content_type, condition, in_one=if_match is not None)
        except Refused as refusal:
            if not condition or (refusal.status != 412 and refusal.code != "NoSuchKey"):
                raise self._calls.refused("write", key, refusal) from refusal
            etag = self._own_write(key, body, refusal)
        if not durable:
            self._proofs.note(key, etag)
        return etag

    def list(self, prefix: str) -> Iterator[Stored]:
        check_prefix(prefix)
        after = None
        while True:
            page = self._list_page(prefix, after, self._page_size)
            yield from page
            if len(page) < self._page_size:
                return
            after = page[-1].key

    def delete(self, key: str) -> None:
        check_key(key)
        try:
            self._calls.delete(key)
        except Refused as refusal:
            if refusal.code != "NoSuchKey":
                raise self._calls.refused("delete", key, refusal) from refusal

    def sync(self, keys: Iterable[str]) -> None:
        """Looks whether all of them are there, and are what this store wrote: a service may be mistaken.

        Raises StoreUnavailable naming one that is not.
        """
        self._proofs.check(check_key(key) for key in keys)

    def presign(self, key: str, seconds: int) -> str:
        """An address at which anybody may read the object for so long, up to 7 days; nothing is asked."""
        check_key(key)
        lifetime = timedelta(seconds=seconds)
        if not timedelta(seconds=1) <= lifetime <= LONGEST_SIGNATURE:
            raise ValueError(f"a signed address lives from 1 second to 7 days, not {seconds} seconds")
        return self._calls.presign(key, lifetime)

    def _put(self, key: str, body: bytes, content_type: str, condition: Headers, *, in_one: bool) -> str:
        if not in_one and len(body) > self._part_size:
            return self._put_in_parts(key, body, content_type, condition)
        return self._uploads.whole(key, body, {"Content-Type": content_type, **condition})

    def _put_in_parts(self, key: str, body: bytes, content_type: str, condition: Headers) -> str:
        """Looks before it uploads; a service that ignores the condition at the end lets the later one win."""
        if condition:
            with suppress(ObjectNotFound):
                self.stat(key)
                raise PreconditionFailed(f"{key} is already in the store.")
        return self._uploads.in_parts(key, body, content_type, condition)

    def _own_write(self, key: str, body: bytes, refusal: Refused) -> str:
        """When an earlier attempt got no answer, the condition may fail because of what that one wrote."""
        if refusal.is_doubtful:
            with suppress(ObjectNotFound):
                found, etag = self.get_with_etag(key)
                if found == body:
                    return etag
        raise PreconditionFailed(f"{key} was written by somebody else.")

    def _list_page(self, prefix: str, after: str | None, size: int) -> List[Stored]:
        try:
            return self._calls.page(prefix, after, size)
        except Refused as refusal:
            raise self._calls.refused("list", prefix or "all objects", refusal) from refusal

    def _missing_or_refused(self, verb: str, key: str, refusal: Refused) -> Exception:
        if refusal.status == 404 and refusal.code in {"NoSuchKey", ""}:
            return ObjectNotFound(f"{key} is not in the store.")
        return self._calls.refused(verb, key, refusal)
