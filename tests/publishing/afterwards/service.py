"""A service on this machine that records what it is sent, and answers as it is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import msgspec

Headers = dict[str, str]


class Sent(msgspec.Struct, frozen=True):
    """One request."""

    method: str
    path: str
    headers: Headers
    """By their names in small letters."""
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Reply(msgspec.Struct, frozen=True):
    status: int = 200
    headers: Headers = {}
    body: bytes = b"{}"
    is_hanging: bool = False
    """Says nothing until the service ends."""
    is_reset: bool = False
    """Breaks the connection off without a word."""
    is_short: bool = False
    """Breaks it off in the middle of the body."""


class Service:
    """Answers with `replies` in turn, then always with `otherwise`, or as `answer` says."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.replies: list[Reply] = []
        self.otherwise = Reply()
        self.answer: Callable[[Sent], Reply] | None = None
        self.ended = threading.Event()
        self.url = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def reply_to(self, sent: Sent) -> Reply:
        self.sent.append(sent)
        if self.replies:
            return self.replies.pop(0)
        return self.otherwise if self.answer is None else self.answer(sent)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        reply = self.service.reply_to(Sent(self.command, self.path, headers, body))
        if reply.is_hanging:
            self.service.ended.wait(60)
        if reply.is_hanging or reply.is_reset:
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        for name, value in ({"content-length": str(len(reply.body))} | reply.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.is_short else reply.body)
        self.close_connection = self.close_connection or reply.is_short

    do_GET = do_POST = _answer  # noqa: N815 - as http.server wants it


def _ignore(*_: object) -> None:
    """A client that is gone, killed perhaps, is no failure here."""


@contextmanager
def running_service() -> Iterator[Service]:
    service = Service()
    handler = type("Handler", (_Handler,), {"service": service})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.handle_error = _ignore  # type: ignore[assignment]
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.ended.set()
            server.shutdown()
            thread.join()
