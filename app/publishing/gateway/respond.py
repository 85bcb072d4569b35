"""From a request and the release that answers it to a whole response."""

from urllib.parse import unquote

import msgspec
import structlog

from app.errors import AppError
from app.kit.paths import spellings
from app.publishing.gateway.answers import (
    BAD_METHOD,
    BAD_PATH,
    GONE,
    NOT_AS_EXPECTED,
    NOT_FOUND,
    NOT_PUBLISHED,
    UNREADABLE,
    Answer,
    plain,
    redirect,
)
from app.publishing.gateway.bodies import Bodies
from app.publishing.gateway.catalogue import Served, SiteRelease
from app.publishing.gateway.headers import (
    CACHE,
    HSTS,
    SECURITY,
    Header,
    entity_tag,
    representation,
    validators,
)
from app.publishing.gateway.negotiation import Coding, matches, parse_range
from app.publishing.gateway.paths import decode_path, location_of, path_location
from app.publishing.manifest import LONGEST_PATH, NOT_FOUND_PATH

logger = structlog.get_logger(__name__)

IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE = b"if-match", b"if-none-match", b"if-range", b"range"
MOST_HOPS = 10
CONDITIONS = frozenset({IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE})


class Request(msgspec.Struct, frozen=True):
    method: str
    path: bytes
    """As it came: percent-encoded, without the query."""
    query: bytes
    codings: tuple[Coding, ...]
    conditions: dict[bytes, bytes]


async def respond(site: SiteRelease | None, request: Request, bodies: Bodies) -> Answer:
    """Never raises for anything that a client or a broken store can cause. HEAD is answered like GET."""
    common = (site.header, *SECURITY, *(HSTS if site.is_https else ())) if site else SECURITY
    if request.method not in {"GET", "HEAD"}:
        return plain(BAD_METHOD, common)
    if site is None:
        return plain(NOT_PUBLISHED, common)
    path = decode_path(request.path)
    if path is None:
        return plain(BAD_PATH, common)
    try:
        return await _at(site, path, request, bodies, common)
    except AppError as error:
        logger.warning("blob_unreadable", site=site.root.slug, path=path, reason=str(error))
        return plain(UNREADABLE, common)


async def _at(
    site: SiteRelease, path: str, request: Request, bodies: Bodies, common: tuple[Header, ...]
) -> Answer:
    entry = _find(site, path)
    target = _elsewhere(site, path) if entry is None else _well_spelt(entry, path, request)
    if target is not None:
        return redirect(path_location(target, request.query), CACHE["page"], common)
    entry = entry or site.find(NOT_FOUND_PATH)
    if entry is None:
        return plain(NOT_FOUND, common)
    if entry.location is not None:
        return redirect(location_of(_end_of(site, entry.location), request.query), CACHE["page"], common)
    if entry.blob is None:
        return plain(GONE, common)
    return await _page(path, entry, request, bodies, common)


def _find(site: SiteRelease, path: str) -> Served | None:
    return site.find(path) if len(path) <= LONGEST_PATH else None


def _end_of(site: SiteRelease, location: str) -> str:
    """Where a chain of redirects ends, so that a browser is sent there at once."""
    for _ in range(MOST_HOPS):
        following = None if "?" in location or "#" in location else _find(site, unquote(location))
        if following is None or following.location is None:
            break
        location = following.location
    return location


def _elsewhere(site: SiteRelease, path: str) -> str | None:
    """Where the page is that somebody misspelt: see `spellings`."""
    found = (candidate for candidate in spellings(path) if candidate != path and _find(site, candidate))
    return next(found, None)


def _well_spelt(entry: Served, path: str, request: Request) -> str | None:
    """A page has one URL: the same path with other escapes leads there, or caches would hold it twice."""
    is_well = entry.status != 200 or request.path == path_location(path, b"")
    return None if is_well else path


async def _page(
    path: str, entry: Served, request: Request, bodies: Bodies, common: tuple[Header, ...]
) -> Answer:
    asked = _asked_range(entry, request)
    coding, body = await bodies.first(entry, request.codings if asked is None else (None,))
    headers = validators(path, entry, coding)
    refused = _refused(entry, coding, request)
    if refused == 412:
        return plain(NOT_AS_EXPECTED, common)
    if refused == 304:
        return Answer(304, headers + common)
    if asked is None:
        lasting = entry.status == 200 and coding == _declared(entry, request)
        return Answer(
            entry.status, representation(entry, coding, len(body)) + headers + common, body, lasting
        )
    return _part(entry, body, asked, headers + common)


def _declared(entry: Served, request: Request) -> Coding:
    """The coding that is served once the store has it."""
    return next((coding for coding in request.codings if coding in entry.encodings), None)


def _asked_range(entry: Served, request: Request) -> range | None:
    """Ranges are of the plain body: a part of a compressed one is of no use to anybody."""
    header = request.conditions.get(RANGE)
    if header is None or request.method != "GET" or entry.status != 200:
        return None
    if not matches(request.conditions.get(IF_RANGE, b"*"), entity_tag(entry, None), strong=True):
        return None
    return parse_range(header, entry.size)


def _refused(entry: Served, coding: Coding, request: Request) -> int | None:
    """412, 304, or None to go on. Only what would be a 200 has conditions."""
    if entry.status != 200:
        return None
    tag, conditions = entity_tag(entry, coding), request.conditions
    if IF_MATCH in conditions and not matches(conditions[IF_MATCH], tag, strong=True):
        return 412
    if IF_NONE_MATCH in conditions and matches(conditions[IF_NONE_MATCH], tag):
        return 304
    return None


def _part(entry: Served, body: bytes, asked: range, headers: tuple[Header, ...]) -> Answer:
    if not asked:
        missing = ((b"content-range", b"bytes */%d" % entry.size), (b"content-length", b"0"))
        return Answer(416, missing + headers)
    part = body[asked.start : asked.stop]
    place = (b"content-range", b"bytes %d-%d/%d" % (asked.start, asked.stop - 1, len(body)))
    return Answer(206, (place, *representation(entry, None, len(part)), *headers), part)
