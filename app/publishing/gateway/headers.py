"""The headers of every answer."""

from app.publishing.gateway.catalogue import Served
from app.publishing.gateway.negotiation import Coding

Header = tuple[bytes, bytes]

CACHE: dict[str, bytes] = {
    # A browser always asks. A CDN asks once a minute, and serves the old page meanwhile or while we are down.
    "page": b"public, max-age=0, s-maxage=60, stale-while-revalidate=60, stale-if-error=86400",
    "feed": b"public, max-age=300, s-maxage=300, stale-while-revalidate=300, stale-if-error=86400",
    "immutable": b"public, max-age=31536000, immutable",
}
SHORTLY = b"public, max-age=0, s-maxage=10"
"""What is not there may be published in a moment."""
NEVER = b"no-store"

CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    b"connect-src 'self'; media-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)
SECURITY: tuple[Header, ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
HSTS: tuple[Header, ...] = ((b"strict-transport-security", b"max-age=31536000"),)
"""For sites whose base_url is https; browsers ignore it where they came by http, as in development."""

_PAGE: tuple[Header, ...] = ((b"cross-origin-opener-policy", b"same-origin"),)
# Feed readers show our pictures on pages of their own.
_OPEN: tuple[Header, ...] = ((b"cross-origin-resource-policy", b"cross-origin"),)
_WIDGET: tuple[Header, ...] = (*_OPEN, (b"access-control-allow-origin", b"*"))

_CODINGS: dict[Coding, bytes] = {"br": b"br", "gz": b"gzip"}


def entity_tag(entry: Served, coding: Coding) -> bytes:
    """Strong, and another one for each coding."""
    suffix = f"-{coding}" if coding else ""
    return f'"{(entry.blob or "")[:32]}{suffix}"'.encode()


def validators(path: str, entry: Served, coding: Coding) -> tuple[Header, ...]:
    """What a 200 and the 304 that stands for it have in common."""
    cache = CACHE[entry.cache] if entry.status == 200 else SHORTLY
    tag = ((b"etag", entity_tag(entry, coding)),) if entry.status == 200 else ()
    vary = ((b"vary", b"Accept-Encoding"),) if entry.encodings else ()
    return (*tag, (b"cache-control", cache), *vary, *cross_origin(path, entry.cache))


def representation(entry: Served, coding: Coding, length: int) -> tuple[Header, ...]:
    """What describes a body; parts are offered of the plain one only."""
    encoding = ((b"content-encoding", _CODINGS[coding]),) if coding else ()
    ranges = ((b"accept-ranges", b"bytes"),) if entry.status == 200 and not coding else ()
    content_type = (b"content-type", entry.content_type.encode("latin-1", "replace"))
    return (content_type, (b"content-length", b"%d" % length), *encoding, *ranges)


def cross_origin(path: str, cache: str) -> tuple[Header, ...]:
    if path.startswith("/widgets/"):
        return _WIDGET
    return _PAGE if cache == "page" else _OPEN
