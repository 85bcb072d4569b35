"""Stands between a client and an S3 service and spoils chosen calls."""

import hashlib
import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    """With the query."""
    body: bytes = field(default=b"", repr=False)


@dataclass
class Fault:
    """What befalls the next `times` calls that `matches` picks."""

    name: str
    matches: Callable[[Call], bool]
    times: int


@dataclass
class Answer:
    status: int
    headers: Headers
    body: bytes


class Proxy:
    """Faults, and for each whether the service carries out the call:

    reset (no), hang (no), 500 (no), 503 (no), 507 (no), denied (no), expired (no): the call never arrives;
    short (no): half of its body arrives, then both connections break;
    stunted (yes): half of its body arrives, as if it were all;
    late (no): the answer begins as a success and tells of a failure in its body;
    lost (no): the answer is that of a success, with the right etag;
    reset-after, hang-after, 500-after, cut (yes): it is carried out, but its answer gets lost;
    lie (yes): the answer tells another etag.
    """

    def __init__(self, service: int) -> None:
        self.service = service
        self.calls: list[Call] = []
        self.connections = 0
        self.closing = threading.Event()
        self.port = 0
        self.rewrite: Callable[[Headers], Headers] | None = None
        """What becomes of a call's headers; it then arrives unsigned, at a bucket that is open to all."""
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def spoil(self, name: str, matches: Callable[[Call], bool] = lambda _: True, times: int = 1) -> None:
        self._faults.append(Fault(name, matches, times))

    def soothe(self) -> None:
        """Spoils nothing any more."""
        self._faults.clear()

    def take(self, call: Call) -> str:
        """The fault of this call, or nothing."""
        with self._lock:
            self.calls.append(call)
            for fault in self._faults:
                if fault.times > 0 and fault.matches(call):
                    fault.times -= 1
                    return fault.name
        return ""

    def calm(self) -> None:
        """Forgets all faults and calls."""
        with self._lock:
            self._faults.clear()
            self.calls.clear()

    @property
    def spoiled_all(self) -> bool:
        return all(fault.times == 0 for fault in self._faults)


@contextmanager
def running_proxy(service: int) -> Iterator[Proxy]:
    proxy = Proxy(service)
    server = _Server(proxy)
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.server.proxy.connections += 1
        super().setup()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.proxy.take(Call(self.command, self.path, body))
        if fault == "lost":
            etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
            self.send(Answer(200, [("ETag", f'"{etag}"')], b""))
            return
        if fault in _UNDELIVERED:
            self.spoil(fault, None)
            return
        headers = self.headers.items()
        if self.server.proxy.rewrite is not None:
            headers = self.server.proxy.rewrite(_unsigned(headers))
        if fault in {"short", "stunted"}:
            body, headers = _halved(body, headers, tells_length=fault == "stunted")
        if fault == "short":
            _send_and_leave(self.server.proxy.service, self.command, self.path, headers, body)
            self.reset()
            return
        answer = _forward(self.server.proxy.service, self.command, self.path, headers, body)
        if fault and fault != "stunted":
            self.spoil(fault, answer)
        else:
            self.send(answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - the names are http.server's

    def spoil(self, fault: str, answer: Answer | None) -> None:
        if fault.startswith("reset"):
            self.reset()
        elif fault.startswith("hang"):
            self.server.proxy.closing.wait(30)
            self.close_connection = True
        elif fault == "cut" and answer is not None:
            self.cut(answer)
        elif fault == "lie" and answer is not None:
            self.send(Answer(answer.status, [*_without_etag(answer), ("ETag", f'"{"f" * 32}"')], b""))
        else:
            self.send(_trouble(*_TROUBLES[fault]))

    def send(self, answer: Answer) -> None:
        with suppress(OSError):
            self.wfile.write(_encode(answer, self.command))

    def cut(self, answer: Answer) -> None:
        """In the middle of the body; where there is none, of the etag, or of the status line."""
        whole = _encode(answer, self.command)
        etag = whole.lower().find(b"\r\netag: ")
        if answer.body and self.command != "HEAD":
            whole = whole[: -(len(answer.body) // 2 + 1)]
        else:
            whole = whole[: etag + 14 if etag > 0 else 10]
        self.wfile.write(whole)
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: object) -> None:
        return


_UNDELIVERED = {"reset", "hang", "500", "503", "507", "denied", "expired", "late"}
_TROUBLES = {
    "500": (500, "InternalError"),
    "500-after": (500, "InternalError"),
    "503": (503, "SlowDown"),
    "507": (507, "InsufficientStorage"),
    "late": (200, "InternalError"),
    "denied": (403, "AccessDenied"),
    "expired": (403, "ExpiredToken"),
}


def _trouble(status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>not now</Message></Error>".encode()
    return Answer(status, [("Content-Type", "application/xml")], body)


def _forward(port: int, method: str, path: str, headers: Headers, body: bytes) -> Answer:
    """With the Host of the client, which its signature covers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        _send(connection, method, path, headers, body)
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def _send_and_leave(port: int, method: str, path: str, headers: Headers, body: bytes) -> None:
    """Until the service has seen that nothing more will come."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        _send(connection, method, path, headers, body)
        connection.sock.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while connection.sock.recv(4096):
                pass
    finally:
        connection.close()


def _send(
    connection: http.client.HTTPConnection, method: str, path: str, headers: Headers, body: bytes
) -> None:
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(body)


def _halved(body: bytes, headers: Headers, *, tells_length: bool) -> tuple[bytes, Headers]:
    half = body[: len(body) // 2]
    if not tells_length:
        return half, headers
    others = [pair for pair in headers if pair[0].lower() != "content-length"]
    return half, [*others, ("Content-Length", str(len(half)))]


def _unsigned(headers: Headers) -> Headers:
    return [pair for pair in headers if not pair[0].lower().startswith(("authorization", "x-amz-"))]


def _encode(answer: Answer, method: str) -> bytes:
    length = {name.lower(): value for name, value in answer.headers}.get("content-length")
    kept = [
        (name, value)
        for name, value in answer.headers
        if name.lower() not in {"content-length", "transfer-encoding", "connection"}
    ]
    size = length if method == "HEAD" and length else str(len(answer.body))
    lines = [f"HTTP/1.1 {answer.status} -", *(f"{name}: {value}" for name, value in kept)]
    if answer.status != 204:
        lines.append(f"Content-Length: {size}")
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode("latin-1") + (b"" if method == "HEAD" else answer.body)


def _without_etag(answer: Answer) -> Headers:
    return [(name, value) for name, value in answer.headers if name.lower() != "etag"]
