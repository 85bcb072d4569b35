"""A bucket that serves a website, at any service that speaks S3, also one that compares nothing."""

from collections.abc import Callable, Iterable

from app.kit.clock import Clock, system_clock
from app.storage.s3 import S3Store
from app.storage.s3_address import Address
from app.storage.s3_calls import Calls, Patience, Refused
from app.storage.s3_uploads import SMALLEST_PART, Uploads
from app.storage.web import PRIVATE, WebFile, check_name
from app.storage.web_lease import BucketLease

_MARK = "x-amz-meta-hustings"


class WebBucket:
    """Objects of `address.bucket` under the names of a site's paths. Every write is compared by MD5."""

    has_folders = False

    def __init__(
        self, address: Address, *, patience: Patience | None = None, clock: Clock = system_clock
    ) -> None:
        self.notes = S3Store(address, patience=patience)
        self._clock = clock
        self._calls = Calls(address, patience or Patience())
        self._uploads = Uploads(self._calls, part_size=SMALLEST_PART)

    def __repr__(self) -> str:
        return str(self._calls.address)

    def lease(self) -> BucketLease:
        return BucketLease(self.notes, clock=self._clock)

    def is_empty(self) -> bool:
        try:
            found = self._calls.page("", None, 1) or []
            after = f"{PRIVATE}0"  # comes after everything below PRIVATE
            if found and found[0].key.startswith(f"{PRIVATE}/"):
                found = self._calls.page("", after, 1)
        except Refused as refusal:
            raise self._calls.refused("list", "all objects", refusal) from refusal
        return not found

    def put(self, file: WebFile) -> None:
        headers = {"Content-Type": file.content_type, "Cache-Control": file.cache_control, _MARK: file.mark}
        if file.location is not None:
            headers["x-amz-website-redirect-location"] = file.location
        try:
            self._uploads.whole(check_name(file.name), file.body, headers)
        except Refused as refusal:
            raise self._calls.refused("write", file.name, refusal) from refusal

    def holds(self, name: str, mark: str, is_body: Callable[[bytes], bool]) -> bool:  # noqa: ARG002 - the mark tells
        try:
            return self._calls.headers(check_name(name)).get(_MARK) == mark
        except Refused as refusal:
            if refusal.status == 404:
                return False
            raise self._calls.refused("look at", name, refusal) from refusal

    def delete(self, name: str) -> None:
        try:
            self._calls.delete(check_name(name))
        except Refused as refusal:
            if refusal.code != "NoSuchKey":
                raise self._calls.refused("delete", name, refusal) from refusal

    def settle(self, names: Iterable[str]) -> None:
        """Nothing is left to do: an S3 service answers a write when it has stored it durably."""
