"""Calls to services on the web: short time limits, few repeats, answers of bounded size.

No address beyond the host, no header and no body is told in a failure: they may hold secrets.
"""

import random
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import count
from urllib.parse import urlsplit

import msgspec
import urllib3
from anyio import sleep, to_thread
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError, SSLError

from app.errors import AppError

LARGEST_ANSWER = 256 * 1024
_CHUNK = 64 * 1024
_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that blame the moment, not the request."""
_SECONDS = re.compile(r"\d{1,9}")


class CallFailed(AppError):
    """A service did not do what it was asked; the same call may succeed later."""

    title = "A service did not do what it was asked"


class CallRefused(CallFailed):
    """The service understood and said no: repeating would not help."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long one call may take. All but `attempts` in seconds."""

    attempts: int = 4
    first_pause: float = 0.5
    longest_pause: float = 10.0
    """A service that wants to be left alone for longer (Retry-After) is: the call fails."""
    connect: float = 3.0
    read: float = 10.0
    """Of silence."""
    total: float = 15.0
    """Of one whole answer, however steadily it drips."""

    def pause(self, attempt: int) -> float:
        longest: float = min(self.longest_pause, self.first_pause * 2 ** (attempt - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


class Call(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    largest: int = LARGEST_ANSWER
    """Bytes of the answer's body, as they come over the line; what is longer is a failure."""

    @property
    def place(self) -> str:
        """For sentences."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes

    @property
    def is_passing(self) -> bool:
        return self.status in _PASSING


class Calls:
    """Keeps connections open and follows no redirections. A call that is cancelled is left to its end."""

    def __init__(self, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        timeout = urllib3.Timeout(connect=self.patience.connect, read=self.patience.read)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False, maxsize=10)

    async def send(self, call: Call) -> Answer:
        """The first answer that is not of the moment. Raises CallFailed when patience has run out."""
        for attempt in count(1):
            try:
                answer = await self.once(call)
            except HTTPError as error:
                trouble, pause = _trouble(error), self.patience.pause(attempt)
                is_hopeless = isinstance(error, SSLError)
            else:
                if not answer.is_passing:
                    return answer
                trouble, is_hopeless = f"it answered {answer.status}", False
                pause = max(self.patience.pause(attempt), wanted_pause(answer, datetime.now(UTC)))
            if is_hopeless or attempt >= self.patience.attempts or pause > self.patience.longest_pause:
                often = f" ({attempt} attempts)" if attempt > 1 else ""
                raise CallFailed(f"{call.place} did not do what it was asked: {trouble}{often}.")
            await sleep(pause)
        raise AssertionError

    async def once(self, call: Call) -> Answer:
        """One try. Raises urllib3's HTTPError."""
        return await to_thread.run_sync(partial(self._once, call), abandon_on_cancel=True)

    def _once(self, call: Call) -> Answer:
        response = self._pool.request(
            call.method,
            call.url,
            headers=dict(call.headers),
            body=call.body,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            body = _read(response, call.largest, time.monotonic() + self.patience.total)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return Answer(
            response.status, {name.lower(): value for name, value in response.headers.items()}, body
        )


class TooLong(HTTPError):
    """More bytes than anybody asked for, or more time."""


def _read(response: urllib3.BaseHTTPResponse, largest: int, deadline: float) -> bytes:
    parts, size = [], 0
    while part := response.read1(_CHUNK, decode_content=False):
        parts.append(part)
        size += len(part)
        if size > largest:
            raise TooLong(f"its answer is longer than {largest} bytes")
        if time.monotonic() > deadline:
            raise TooLong("its answer took too long")
    return b"".join(parts)


def wanted_pause(answer: Answer, now: datetime) -> float:
    """Seconds of Retry-After, which is a number or a date; 0 without one that can be read."""
    told = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(told):
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def _trouble(error: HTTPError) -> str:
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, SSLError):
        return "TLS failed; check its certificate"
    if isinstance(cause, ReadTimeoutError):
        return "it was silent for too long"
    if isinstance(cause, TooLong):
        return str(cause)
    return f"the connection failed ({type(cause).__name__})"
