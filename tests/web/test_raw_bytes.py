"""Bytes on a real socket that no well-behaved client sends: never a 500, and the server goes on."""

from collections.abc import Iterator

import anyio
import pytest

from tests.conftest import Database
from tests.web.routes import LIMIT
from tests.web.server import exchange, serving
from tests.web.world import two_sites

HOST = b"Host: bay.localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def port(shared_database: Database) -> Iterator[int]:
    anyio.run(two_sites, shared_database.url())
    with serving(shared_database.url()) as port:
        yield port


def get(address: bytes, headers: bytes = HOST) -> bytes:
    return b"GET " + address + b" HTTP/1.1\r\n" + headers + b"\r\n"


def post(body: bytes, headers: bytes = JSON, address: bytes = b"/api/v1/echo") -> bytes:
    return b"POST " + address + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def sized(body: bytes, content_type: bytes = JSON, address: bytes = b"/api/v1/echo") -> bytes:
    return post(body, content_type + b"Content-Length: %d\r\n" % len(body), address)


@pytest.mark.parametrize(
    "sent",
    [
        get(b"/api/v1/campaigns/%ff"),
        get(b"/api/v1/campaigns/a%00b"),
        get(b"/api/v1/campaigns/%ed%a0%80"),
        get(b"/api/v1/campaigns?cursor=%ff"),
        get(b"/api/v1/campaigns?cursor=%00"),
        get(b"/api/v1/campaigns?limit=99999999999999999999"),
        get(b"/api/v1/site", b"Host: bay\xff\r\n"),
        get(b"/api/v1/site", HOST + HOST),
        get(b"/api/v1/site", HOST + b"X-Other: \xff\xfe\r\n"),
        sized(b""),
        sized(b'{"id": 1, "name": "\xff"}'),
        sized(b'{"id": 1, "name": "\\u0000"}'),
        sized(b'{"id": 9223372036854775808, "name": "a"}'),
        sized(b"[" * 4000 + b"]" * 4000),
        sized(b'{"id": 1, "name": "a", "x": ' + b"[" * 4000 + b"]" * 4000 + b"}"),
        sized(b"id=1&name=%ff", b"Content-Type: application/x-www-form-urlencoded\r\n"),
        sized(b"x", b"Content-Type: multipart/form-data\r\n", b"/api/v1/parts"),
        post(b"ZZ\r\n{}\r\n0\r\n\r\n", JSON + CHUNKED),
        post(b'5\r\n{"id": 1\r\n0\r\n\r\n', JSON + CHUNKED),
        post(
            b"3\r\n--x\r\nZZ",
            b"Content-Type: multipart/form-data; boundary=x\r\n" + CHUNKED,
            b"/api/v1/parts",
        ),
    ],
)
def test_what_cannot_be_read_is_a_400_problem(port: int, sent: bytes) -> None:
    status, received = exchange(port, sent)
    assert status == 400
    assert b"application/problem+json" in received


@pytest.mark.parametrize(
    "sent", [b"\x00\x01\x02\r\n\r\n", get(b"/api/\xff"), get(b"/api/v1/site", HOST + b"X: a\0b\r\n")]
)
def test_what_is_not_http_is_refused_by_the_server_itself(port: int, sent: bytes) -> None:
    status, _ = exchange(port, sent, half_close=True)
    assert status in {0, 400}


def test_a_body_that_breaks_off_is_400(port: int) -> None:
    sent = post(b'{"id"', JSON + b"Content-Length: 100\r\n")
    assert exchange(port, sent, half_close=True)[0] in {0, 400}


def test_other_sizes_and_types_have_their_own_status(port: int) -> None:
    assert exchange(port, sized(b"x", b"Content-Type: text/plain\r\n"))[0] == 415
    assert exchange(port, sized(b"{}", b""))[0] == 415
    assert exchange(port, post(b"", JSON + b"Content-Length: %d\r\n" % (LIMIT + 1)))[0] == 413
    big = b"%x\r\n%s\r\n0\r\n\r\n" % (LIMIT + 1, b" " * (LIMIT + 1))
    assert exchange(port, post(big, JSON + CHUNKED))[0] == 413
    assert exchange(port, b"FOO /api/v1/site HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 405


def test_good_requests_work_over_the_same_server(port: int) -> None:
    status, received = exchange(port, get(b"/api/v1/campaigns?limit=1"))
    assert (status, b'"slug":"herons"' in received) == (200, True)
    status, received = exchange(port, sized(b'{"id": 1, "name": "\xc3\xa9"}'))
    assert (status, b"\xc3\xa9" in received) == (201, True)
    chunks = b'14\r\n{"id": 1, "name": "a\r\n2\r\n"}\r\n0\r\n\r\n'
    assert exchange(port, post(chunks, JSON + CHUNKED))[0] == 201
    assert exchange(port, b"GET /api/v1/site HTTP/1.0\r\n\r\n")[0] == 200


def test_a_head_answer_has_no_body_on_the_wire(port: int) -> None:
    sent = b"HEAD /api/v1/site HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    status, received = exchange(port, sent)
    head, _, body = received.partition(b"\r\n\r\n")
    assert (status, body) == (200, b"")
    assert b"content-length: " in head
