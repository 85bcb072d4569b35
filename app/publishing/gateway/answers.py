"""Answers that are not a file of a release: redirects, and plain pages where a site has none of its own."""

import msgspec

from app.publishing.gateway.headers import NEVER, SHORTLY, Header


class Answer(msgspec.Struct, frozen=True):
    """One whole response; `headers` may be shared between answers and are never changed."""

    status: int
    headers: tuple[Header, ...]
    body: bytes = b""
    is_lasting: bool = False
    """As long as the release is live, the same request gets the same answer."""


class Plain(msgspec.Struct, frozen=True):
    """A page without a design, for when there is no site to take one from."""

    status: int
    title: str
    text: str
    cache: bytes = NEVER
    extra: tuple[Header, ...] = ()


NOT_PUBLISHED = Plain(
    503,
    "Nothing is published here yet",
    "This site has no release so far. Once an editor publishes one, it appears at this address.",
    extra=((b"retry-after", b"5"),),
)
UNREADABLE = Plain(
    503,
    "This page cannot be read just now",
    "The page exists, but its store does not answer. Please try again in a few seconds.",
    extra=((b"retry-after", b"5"),),
)
NOT_FOUND = Plain(404, "Page not found", "There is no page at this address.", SHORTLY)
GONE = Plain(410, "This page is gone", "The page that was at this address has been taken away.", SHORTLY)
BAD_PATH = Plain(
    400, "This address cannot be read", "The address is not valid: check it for stray characters."
)
NOT_AS_EXPECTED = Plain(412, "This page has changed", "It is no longer what was expected.")
BAD_METHOD = Plain(
    405,
    "This cannot be done here",
    "Pages can be read, and nothing else.",
    extra=((b"allow", b"GET, HEAD"),),
)


def plain(page: Plain, common: tuple[Header, ...]) -> Answer:
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{page.title}</title></head><body><main><h1>{page.title}</h1><p>{page.text}</p></main>"
        "</body></html>\n"
    ).encode()
    headers = (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", page.cache),
        *page.extra,
    )
    return Answer(page.status, headers + common, body)


def redirect(location: bytes, cache: bytes, common: tuple[Header, ...]) -> Answer:
    headers = ((b"location", location), (b"content-length", b"0"), (b"cache-control", cache))
    return Answer(301, headers + common)
