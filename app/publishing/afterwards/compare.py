"""One page as visitors get it, beside what the release has there."""

import re
import zlib
from collections.abc import Sequence
from urllib.parse import urljoin

import msgspec
from anyio import create_task_group
from urllib3.exceptions import HTTPError

from app.publishing.afterwards.calls import Answer, Call, Calls
from app.publishing.manifest import Entry, blob_digest

CODINGS = ("identity", "gzip")
ABSENT = {301, 404, 410}
_GZIP = 31
_SLACK = 256 * 1024
"""Bytes of an answer beyond those of the page: what differs is to be told, not to be too long."""
_NUMBER = re.compile(r"[0-9]{1,9}")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`entry` is what the release has there; None: nothing, so that the answer has to be 404."""

    url: str
    path: str
    entry: Entry | None
    release: int


async def look_at_all(calls: Calls, pages: Sequence[Page]) -> dict[str, str]:
    """Path to what differs, in the order of the pages; all of them at once."""
    told: dict[str, str | None] = {page.path: None for page in pages}

    async def look(page: Page) -> None:
        told[page.path] = await look_at(calls, page)

    async with create_task_group() as tasks:
        for page in pages:
            tasks.start_soon(look, page)
    return {path: sentence for path, sentence in told.items() if sentence is not None}


async def look_at(calls: Calls, page: Page) -> str | None:
    """What differs from the release, as a sentence; None when nothing does. Asks plainly, and for gzip."""
    size = page.entry.size if page.entry else 0
    for coding in CODINGS:
        call = Call(
            method="GET",
            url=page.url,
            headers={"accept-encoding": coding, "user-agent": "Hustings"},
            largest=size + _SLACK,
        )
        try:
            answer = await calls.once(call)
        except HTTPError as error:
            return f"{page.url} could not be read ({type(error).__name__})."
        found = difference(page, answer)
        if found is not None:
            return f"{page.url} {found}"
    return None


def difference(page: Page, answer: Answer) -> str | None:
    """The end of a sentence.

    The header that names the release tells how a page differs, and is no difference itself: a cache rightly
    holds a page that has not changed for many releases.
    """
    entry, other = page.entry, _other_release(page, answer)
    if entry is None:
        # What is not there may be found a slash further.
        return None if answer.status in ABSENT else f"answers {answer.status}, and should not be there."
    if answer.status != entry.status:
        told = "" if other is None else f"; that is of release {other}"
        return f"answers {answer.status} instead of {entry.status}{told}."
    if entry.location is not None:
        return _elsewhere(page.url, entry.location, answer)
    if entry.blob is None:
        return None
    body = _decoded(answer, entry.size)
    if body is not None and blob_digest(entry.content_type, body) == entry.blob:
        return None
    return "does not show what was released." if other is None else f"still shows release {other}."


def _elsewhere(url: str, location: str, answer: Answer) -> str | None:
    wanted = urljoin(url, location)
    found = urljoin(url, answer.headers.get("location", ""))
    return None if found == wanted else f"leads to {found} instead of {wanted}."


def _other_release(page: Page, answer: Answer) -> int | None:
    """Which other release the answer says that it is of."""
    told = answer.headers.get("hustings-release", "")
    return int(told) if _NUMBER.fullmatch(told) and int(told) != page.release else None


def _decoded(answer: Answer, size: int) -> bytes | None:
    """The plain body; None when it cannot be decoded, or is longer than the page is."""
    coding = answer.headers.get("content-encoding", "identity").lower()
    if coding == "identity":
        return answer.body
    if coding != "gzip":
        return None
    decoder = zlib.decompressobj(_GZIP)
    try:
        body = decoder.decompress(answer.body, size + 1)
    except zlib.error:
        return None
    return body if len(body) <= size and decoder.eof else None
