"""What every answer carries: request id, security headers, CORS, weak ETags, HEAD."""

import hashlib
from collections.abc import Iterable

from litestar.types import HTTPResponseStartEvent, HTTPScope, Message, Send

from app.web.inputs import header

PUBLIC = "/api/v1"
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
}
_CORS = {
    b"access-control-allow-origin": b"*",
    b"access-control-expose-headers": b"ETag, Retry-After, X-Request-Id",
}
_PREFLIGHT = {
    **_CORS,
    b"access-control-allow-methods": b"GET, HEAD",
    b"access-control-allow-headers": b"If-None-Match, X-Request-Id",
    b"access-control-max-age": b"86400",
}
_OF_A_BODY = {b"content-length", b"content-type"}

Headers = list[tuple[bytes, bytes]]


class Answer:
    """Stands between the application and the server's `send` for one request.

    The start of a response is held back until its body is known to be whole or to come in pieces: a whole
    body of a successful GET gets a weak ETag, and 304 takes its place when the client has it.
    """

    def __init__(self, scope: HTTPScope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._held: HTTPResponseStartEvent | None = None
        self.method: str = scope["method"]
        self.status = 0
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._held = message
        elif message["type"] == "http.response.body":
            await self._pass_on(message.get("body", b""), more=message.get("more_body", False))
        else:
            await self._send(message)

    async def _pass_on(self, body: bytes, *, more: bool) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            body = await self._start(held, body, more=more)
        if self.method == "HEAD":
            body = b""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _start(self, held: HTTPResponseStartEvent, body: bytes, *, more: bool) -> bytes:
        status = held["status"]
        headers = _with_defaults(held["headers"], self._defaults(status))
        if status == 200 and self.method in {"GET", "HEAD"} and not more and _may_be_kept(headers):
            etag = b'W/"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
            headers.append((b"etag", etag))
            if _matches(header(self._scope, b"if-none-match"), etag):
                status, body = 304, b""
                headers = [(name, value) for name, value in headers if name not in _OF_A_BODY]
        self.status, self.started = status, True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        return body

    def _defaults(self, status: int) -> dict[bytes, bytes]:
        is_kept = status == 200 and self.method in {"GET", "HEAD"} and self._is_public()
        return {
            **_ALWAYS,
            **self._cors(),
            b"cache-control": b"no-cache" if is_kept else b"no-store",
            b"x-request-id": self._request_id.encode(),
        }

    def _cors(self) -> dict[bytes, bytes]:
        if not self._is_public():
            return {}
        if self.method == "OPTIONS":
            return _PREFLIGHT
        return _CORS if self.method in {"GET", "HEAD"} else {}

    def _is_public(self) -> bool:
        path = self._scope["path"]
        return path == PUBLIC or path.startswith(PUBLIC + "/")


def _with_defaults(headers: Iterable[tuple[bytes, bytes]], defaults: dict[bytes, bytes]) -> Headers:
    given = [
        (name.lower(), _with_head(value) if name.lower() == b"allow" else value) for name, value in headers
    ]
    names = {name for name, _ in given}
    return given + [(name, value) for name, value in defaults.items() if name not in names]


def _with_head(allow: bytes) -> bytes:
    """Routes declare GET; HEAD is answered here."""
    methods = {method.strip() for method in allow.split(b",")}
    return b", ".join(sorted({*methods, b"HEAD"} if b"GET" in methods else methods))


def _may_be_kept(headers: Headers) -> bool:
    names = dict(headers)
    return b"etag" not in names and b"no-store" not in names[b"cache-control"]


def _matches(given: bytes | None, etag: bytes) -> bool:
    if given is None:
        return False
    candidates = [candidate.strip() for candidate in given.split(b",")]
    return b"*" in candidates or any(_opaque(candidate) == _opaque(etag) for candidate in candidates)


def _opaque(etag: bytes) -> bytes:
    return etag.removeprefix(b"W/")
