"""Single calls of an S3 service: signed by minio, repeated when it makes sense, failures told in sentences.

This module alone imports minio. Repeating is our own business, because only here is it known that an answer
was lost and the call may have been carried out nevertheless.
"""

import os
import random
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from itertools import count, islice
from typing import Any, TypeVar
from xml.etree.ElementTree import ParseError

import msgspec
import urllib3
from minio import Minio
from minio.datatypes import Part
from minio.error import MinioException
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from app.storage.s3_address import Address
from app.storage.s3_reasons import refusal_reason
from app.storage.store import Stored, StoreUnavailable

T = TypeVar("T")
Headers = Mapping[str, str]

_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,80})</Code>")
_ETAG = re.compile(r'"([^"]+)"|([0-9a-f]{32}(?:-[0-9]+)?)')
_PERMANENT = {501, 505, 507}
_TRANSIENT_CODES = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
}
"""4xx that blame the network or the moment, not the request."""
_CONNECTIONS = 64
_UNREACHED = (NewConnectionError, ConnectTimeoutError, NameResolutionError)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call may take. All but `attempts` in seconds."""

    attempts: int = 5
    first_pause: float = 0.1
    longest_pause: float = 2.0
    connect: float = 3.0
    read: float = 10.0
    """Of silence, not of the whole answer."""
    total: float = 20.0
    """No attempt starts later than this after the first one."""

    def pause(self, attempt: int) -> float:
        """Doubles each time; half of it is by chance, so that many clients do not come back together."""
        longest: float = min(self.longest_pause, self.first_pause * 2 ** (attempt - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


class Refused(Exception):
    """The service understood and said no; repeating would not help."""

    def __init__(self, status: int, code: str, *, is_doubtful: bool = False) -> None:
        super().__init__(f"{status} {code}".strip())
        self.status = status
        self.code = code
        self.is_doubtful = is_doubtful
        """An earlier attempt of the same call got no answer: it may have done what this one was refused."""


class _Answered(Exception):
    """Any answer but success."""

    def __init__(self, status: int, body: bytes) -> None:
        found = _CODE.search(body)
        self.status = status
        self.code = found[1].decode() if found else ""
        super().__init__(f"{status} {self.code}".strip())

    @property
    def is_transient(self) -> bool:
        if self.code in _TRANSIENT_CODES or self.status == 429:
            return True
        return self.status >= 500 and self.status not in _PERMANENT and self.code != "NotImplemented"


class _Prompt:
    """Acknowledges at once: services that send head and body apart wait 40 milliseconds otherwise."""

    sock: socket.socket | None

    def getresponse(self) -> Any:
        if self.sock is not None and hasattr(socket, "TCP_QUICKACK"):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return super().getresponse()  # type: ignore[misc]  # mixed into a connection


class _Plain(_Prompt, HTTPConnection):
    pass


class _Secure(_Prompt, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Pool(urllib3.PoolManager):
    """Keeps connections open, follows no redirections, and raises every answer that is no success."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def urlopen(  # type: ignore[override]  # as PoolManager itself does
        self, method: str, url: str, **options: Any
    ) -> Any:
        response = super().urlopen(method, url, redirect=False, **options)
        if response.status >= 300:
            raise _Answered(response.status, response.data)
        return response


class _Client(Minio):
    """minio's own verbs take no conditions and no checksums, so this calls what they are made of."""

    def call(
        self,
        method: str,
        bucket: str,
        key: str,
        *,
        body: bytes | None = None,
        headers: Headers | None = None,
        query: Headers | None = None,
    ) -> Any:
        return self._execute(
            method, bucket, key, body=body, headers=dict(headers or {}), query_params=dict(query or {})
        )

    def page(self, bucket: str, prefix: str, after: str | None, size: int) -> list[Any]:
        found = self._list_objects(bucket, prefix=prefix, start_after=after, max_keys=size)
        return list(islice(found, size))

    def begin_upload(self, bucket: str, key: str, content_type: str) -> str:
        return self._create_multipart_upload(bucket, key, {"Content-Type": content_type})


class Calls:
    """The calls of one bucket. Safe for threads, and for a process that forks."""

    def __init__(self, address: Address, patience: Patience) -> None:
        self.address = address
        self.patience = patience
        self._process, self._client = os.getpid(), _connect(address, patience)

    def get(self, key: str) -> tuple[bytes, str]:
        def read(client: _Client) -> tuple[bytes, str]:
            response = client.call("GET", self.address.bucket, key)
            return response.data, etag_of(response.headers)

        return self._run("read", key, read)

    def head(self, key: str) -> Stored:
        def look(client: _Client) -> Stored:
            return _described(key, client.call("HEAD", self.address.bucket, key).headers)

        return self._run("look at", key, look)

    def headers(self, key: str) -> Headers:
        """Of an object, with all that was written beside it."""

        def look(client: _Client) -> Headers:
            found: Headers = client.call("HEAD", self.address.bucket, key).headers
            return found

        return self._run("look at", key, look)

    def put(self, key: str, body: bytes, headers: Headers, query: Headers | None = None) -> Headers:
        """Returns the answer's headers, which hold an etag."""

        def write(client: _Client) -> Headers:
            bucket = self.address.bucket
            answer: Headers = client.call("PUT", bucket, key, body=body, headers=headers, query=query).headers
            etag_of(answer)
            return answer

        return self._run("write", key, write)

    def page(self, prefix: str, after: str | None, size: int) -> list[Stored]:
        """Up to `size` objects whose keys come after `after`."""
        found = self._run(
            "list",
            prefix or "everything",
            lambda client: client.page(self.address.bucket, prefix, after, size),
        )
        return [_stored(each) for each in found]

    def delete(self, key: str) -> None:
        self._run("delete", key, lambda client: client.call("DELETE", self.address.bucket, key))

    def begin_upload(self, key: str, content_type: str) -> str:
        """The id of a new multipart upload."""
        return self._run(
            "begin", key, lambda client: client.begin_upload(self.address.bucket, key, content_type)
        )

    def finish_upload(self, key: str, upload: str, body: bytes, headers: Headers) -> None:
        """Not all services tell the etag of the whole: look at the object afterwards."""

        def finish(client: _Client) -> None:
            query = {"uploadId": upload}
            response = client.call("POST", self.address.bucket, key, body=body, headers=headers, query=query)
            if b"<Error>" in response.data:  # a failure that began after the status was sent
                raise _Answered(500, response.data)

        self._run("finish", key, finish)

    def abort_upload(self, key: str, upload: str) -> None:
        query = {"uploadId": upload}
        self._run("abort", key, lambda client: client.call("DELETE", self.address.bucket, key, query=query))

    def presign(self, key: str, lifetime: timedelta) -> str:
        bucket = self.address.bucket
        return self._run(
            "sign", key, lambda client: client.presigned_get_object(bucket, key, expires=lifetime)
        )

    def unavailable(self, verb: str, key: str, reason: str) -> StoreUnavailable:
        return StoreUnavailable(f"The object store at {self.address}, could not {verb} {key}: {reason}.")

    def refused(self, verb: str, key: str, refusal: Refused) -> StoreUnavailable:
        return self.unavailable(verb, key, refusal_reason(refusal.status, refusal.code, self.address.setting))

    def _run(self, verb: str, key: str, function: Callable[[_Client], T]) -> T:
        """Raises Refused, or StoreUnavailable when patience has run out."""
        started = time.monotonic()
        is_doubtful = False
        for attempt in count(1):
            try:
                return function(self._connected())
            except (_Answered, HTTPError, MinioException, ParseError) as error:
                if isinstance(error, _Answered) and not error.is_transient:
                    raise Refused(error.status, error.code, is_doubtful=is_doubtful) from None
                pause = self.patience.pause(attempt)
                if not self._may_repeat(error, attempt, time.monotonic() - started + pause):
                    raise self.unavailable(verb, key, self._trouble(error, attempt)) from error
                is_doubtful = is_doubtful or not isinstance(error, _UNREACHED)
            time.sleep(pause)
        raise AssertionError

    def _may_repeat(self, error: Exception, attempt: int, elapsed: float) -> bool:
        has_time = attempt < self.patience.attempts and elapsed < self.patience.total
        return has_time and not isinstance(error, SSLError)

    def _trouble(self, error: Exception, attempt: int) -> str:
        often = f" ({attempt} attempts)" if attempt > 1 else ""
        if isinstance(error, _Answered):
            return f"it answered {error}{often}. Try again later, or look at its own log"
        if isinstance(error, SSLError):
            return "TLS failed. Check its certificate, and whether it speaks https at this port"
        if isinstance(error, _UNREACHED):
            return f"it cannot be reached{often}. Check that it runs and that {self.address.setting} names it"
        if isinstance(error, ReadTimeoutError):
            return f"it was silent for {self.patience.read:g} seconds{often}. Look at its own log"
        return f"the connection broke off{often}. Check the network, and the service's own log"

    def _connected(self) -> _Client:
        """After a fork a client of its own: two processes must not share connections."""
        if self._process != os.getpid():
            self._process, self._client = os.getpid(), _connect(self.address, self.patience)
        return self._client


def etag_of(headers: Headers) -> str:
    """Without its quotes. Raises ProtocolError where there is none: an answer may break off in its head."""
    found = _ETAG.fullmatch(headers.get("etag", ""))
    if found is None:
        raise ProtocolError("the answer has no whole etag")
    return found[1] or found[2]


def part_list(etags: list[str]) -> bytes:
    """The body that finishes a multipart upload."""
    parts = [Part(number, etag) for number, etag in enumerate(etags, 1)]
    told = (
        f'<Part><PartNumber>{part.part_number}</PartNumber><ETag>"{part.etag}"</ETag></Part>'
        for part in parts
    )
    return f"<CompleteMultipartUpload>{''.join(told)}</CompleteMultipartUpload>".encode()


def _connect(address: Address, patience: Patience) -> _Client:
    pool = _Pool(
        timeout=urllib3.Timeout(connect=patience.connect, read=patience.read),
        maxsize=_CONNECTIONS,
        retries=False,
        ssl_context=ssl.create_default_context(),
    )
    is_amazon = address.host.partition(":")[0].endswith((".amazonaws.com", ".amazonaws.com.cn"))
    return _Client(
        address.host,
        access_key=address.key,
        secret_key=address.secret,
        secure=address.is_secure,
        region=address.region or (None if is_amazon else "us-east-1"),
        http_client=pool,
    )


def _described(key: str, headers: Headers) -> Stored:
    etag = etag_of(headers)
    try:
        modified = parsedate_to_datetime(headers["last-modified"])
        return Stored(key, int(headers["content-length"]), etag, modified)
    except (KeyError, ValueError) as error:
        raise ProtocolError("the answer has no whole head") from error


def _stored(found: Any) -> Stored:
    """Whole seconds, as the header of a single object tells them."""
    modified = found.last_modified.replace(microsecond=0)
    return Stored(found.object_name, found.size, found.etag.strip('"'), modified)
