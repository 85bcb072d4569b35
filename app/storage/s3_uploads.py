"""Writing objects, whole or in parts, and not believing that they arrived before it is shown."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress

from app.storage.s3_calls import Calls, Headers, Refused, etag_of, part_list
from app.storage.store import StoreUnavailable

SMALLEST_PART = 5 * 1024 * 1024
"""S3 refuses smaller parts, but for the last one."""

_ENCRYPTION = "x-amz-server-side-encryption"
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-algorithm"


class Uploads:
    """Every method raises Refused for what the service will not do, and StoreUnavailable for the rest."""

    def __init__(self, calls: Calls, *, part_size: int) -> None:
        self._calls = calls
        self._part_size = max(part_size, SMALLEST_PART)

    def whole(self, key: str, body: bytes, headers: Headers) -> str:
        """The etag. What arrived damaged is deleted, or a later writer would take it for the right object."""
        etag, right = self._send(key, body, headers)
        if right is not None and etag != right:
            if "If-Match" not in headers:
                self._discard(key)
            raise self._damaged(key, etag, right)
        return etag

    def in_parts(self, key: str, body: bytes, content_type: str, condition: Headers) -> str:
        """As `whole`; the condition is compared when the last part is there."""
        upload = self._calls.begin_upload(key, content_type)
        try:
            etags, are_right = self._send_parts(key, body, upload)
            self._finish(key, upload, etags, condition)
        except BaseException:
            with suppress(Refused, StoreUnavailable):
                self._calls.abort_upload(key, upload)
            raise
        stored = self._calls.head(key)
        right = _etag_of_parts(etags) if are_right else stored.etag
        if (stored.size, stored.etag) != (len(body), right):
            self._discard(key)
            raise self._damaged(key, stored.etag, right)
        return stored.etag

    def _send(
        self, key: str, body: bytes, headers: Headers, query: Headers | None = None
    ) -> tuple[str, str | None]:
        """The etag told, and what it must be, if that can be known.

        The service checks by Content-MD5 what arrives; the etag tells what it wrote.
        """
        digest = hashlib.md5(body, usedforsecurity=False)
        checked = {"Content-MD5": b64encode(digest.digest()).decode(), **headers}
        answer = self._calls.put(key, body, checked, query)
        return etag_of(answer), digest.hexdigest() if _has_md5(answer) else None

    def _send_parts(self, key: str, body: bytes, upload: str) -> tuple[list[str], bool]:
        """The etags, and whether all of them could be checked."""
        view, are_right = memoryview(body), True
        etags: list[str] = []
        for start in range(0, len(body), self._part_size):
            query = {"partNumber": str(len(etags) + 1), "uploadId": upload}
            part = bytes(view[start : start + self._part_size])
            etag, right = self._send(key, part, {}, query)
            if right not in {None, etag}:
                raise self._damaged(key, etag, right)
            are_right = are_right and right is not None
            etags.append(etag)
        return etags, are_right

    def _finish(self, key: str, upload: str, etags: list[str], condition: Headers) -> None:
        headers = {"Content-Type": "application/xml", **condition}
        try:
            self._calls.finish_upload(key, upload, part_list(etags), headers)
        except Refused as refusal:
            if refusal.code == "NoSuchUpload" and refusal.is_doubtful:
                return  # an earlier attempt got no answer and had finished; the caller looks at the object
            raise

    def _discard(self, key: str) -> None:
        with suppress(Refused, StoreUnavailable):
            self._calls.delete(key)

    def _damaged(self, key: str, told: str, right: str | None) -> StoreUnavailable:
        reason = f"it says that it stored something else (checksum {told}, not {right})"
        return self._calls.unavailable("write", key, f"{reason}. Look at its own log, and at its disks")


def _has_md5(answer: Mapping[str, str]) -> bool:
    """Etags are MD5 unless the service encrypts with keys that are kept elsewhere."""
    return not answer.get(_ENCRYPTION, "").startswith("aws:kms") and _CUSTOMER_KEY not in answer


def _etag_of_parts(etags: list[str]) -> str:
    digest = hashlib.md5(b"".join(map(bytes.fromhex, etags)), usedforsecurity=False)
    return f"{digest.hexdigest()}-{len(etags)}"
