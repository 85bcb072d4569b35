"""From the bytes of a request's path to a path of the manifest, and back into a Location. Pure."""

import re
from urllib.parse import quote, unquote_to_bytes

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_QUERY = re.compile(rb"[!-~]{1,2000}")


def decode_path(raw: bytes) -> str | None:
    """Percent-decoded once; None when it is not a path: a bad escape, not UTF-8, control characters."""
    if not raw.startswith(b"/") or _BAD_ESCAPE.search(raw):
        return None
    try:
        path = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(path) else path


def location_of(target: str, query: bytes) -> bytes:
    """`target` (a path of the manifest or what an editor wrote) as a Location, with the request's query.

    The query is kept, so that a redirect loses no campaign code and no form field, unless the target has
    a query or fragment of its own.
    """
    location = quote(target, safe="/:?#[]@!$&'()*+,;=%-._~").encode()
    if query and b"?" not in location and b"#" not in location and _QUERY.fullmatch(query):
        return location + b"?" + query
    return location


def path_location(path: str, query: bytes) -> bytes:
    """The same for a path alone: what it holds of `?`, `#` and `%` is part of its name."""
    return location_of(quote(path, safe="/:@!$&'()*+,;=-._~"), query)
