"""What may be in an address and in a header. A value that fails here is 400 on every route.

A query parameter that is given twice counts with its last value; unknown ones are ignored.
"""

import re
from urllib.parse import unquote_to_bytes

from litestar.types import Scope

from app.errors import Malformed
from app.kit.hosts import bare_host

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


def check_scope(scope: Scope, allowed_hosts: frozenset[str]) -> None:
    """Raises Malformed for bytes that are not UTF-8, for NUL, and for a host that is not served here."""
    _check_text(_raw_path(scope), "The path")
    _check_text(scope.get("query_string", b"").replace(b"+", b" "), "The query string")
    for name, value in scope["headers"]:
        _check_text(value, f"The header {name.decode('latin-1')}", quoted=False)
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) > 1:
        raise Malformed("The request has more than one Host header.")
    if allowed_hosts and _is_guarded(scope["path"]) and host_of(scope) not in allowed_hosts:
        raise Malformed("This host is not served here; HUSTINGS_ALLOWED_HOSTS lists those that are.")


def host_of(scope: Scope) -> str:
    """The host that was asked for, as `bare_host` has it; empty when none was named."""
    return bare_host(header(scope, b"host") or b"").decode("utf-8", "replace")


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name, which must be given in lower case."""
    return next((value for key, value in scope["headers"] if key == name), None)


def client_request_id(scope: Scope) -> str | None:
    """The X-Request-Id of the client when it is well-formed."""
    given = (header(scope, b"x-request-id") or b"").decode("latin-1")
    return given if REQUEST_ID.fullmatch(given) else None


def split_hosts(text: str) -> frozenset[str]:
    """The setting `allowed_hosts` as a set; empty means any host."""
    return frozenset(host.strip().lower() for host in text.split(",") if host.strip())


def _raw_path(scope: Scope) -> bytes:
    """As it came: a server may already have replaced what is not UTF-8."""
    raw = scope.get("raw_path")
    return raw or scope["path"].encode("utf-8", "surrogateescape")


def _check_text(raw: bytes, what: str, *, quoted: bool = True) -> None:
    plain = unquote_to_bytes(raw) if quoted else raw
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8.") from None
    if "\0" in text:
        raise Malformed(f"{what} holds a NUL.")


def _is_guarded(path: str) -> bool:
    return path.startswith(("/api", "/desk"))
