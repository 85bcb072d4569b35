"""Bodies that are not what they say: one place refuses them for every route."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import anyio
import httpx
import pytest

from app.errors import Malformed, TooLarge, TooSlow
from app.web.bodies import MAX_DEPTH, BodyGuard, decode, read_body, replay, unbroken
from tests.web.routes import LIMIT, ROUTES
from tests.web.world import served

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
Body: TypeAlias = bytes | AsyncIterator[bytes]
Post: TypeAlias = Callable[[str, Body, dict[str, str]], Awaitable[httpx.Response]]
GOOD = b'{"id": 1, "name": "a"}'


def scope(*headers: tuple[bytes, bytes]) -> Any:
    return {"type": "http", "headers": list(headers)}


@pytest.fixture(scope="module")
async def post() -> AsyncIterator[Post]:
    async with served(NOWHERE, routes=ROUTES) as world:

        async def send(path: str, body: Body, headers: dict[str, str]) -> httpx.Response:
            return await world.client.post(path, content=body, headers=headers)

        yield send


async def test_a_good_body_arrives_as_json_and_as_a_form(post: Post) -> None:
    as_json = await post("/api/v1/echo", b'{"id": 1, "name": "a", "tags": ["x", "y"]}', JSON)
    as_form = await post("/api/v1/echo", b"id=1&name=a&tags=x&tags=y", FORM)
    assert as_json.status_code == as_form.status_code == 201
    assert as_json.json() == as_form.json() == {"id": 1, "name": "a", "size": 1, "tags": ["x", "y"]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"id": 1, "name": "\xff"}',
        b'{"id": 1, "name": "\\ud800"}',
        b'{"id": 1, "name": "a\\u0000b"}',
        b'{"id": 1, "name": "a", "other": "\\u0000"}',
        b'{"id": 1, "name": "a", "\\u0000": 1}',
        b'{"id": 9223372036854775808, "name": "a"}',
        b'{"id": -9223372036854775809, "name": "a"}',
        b'{"id": 1, "name": "a", "other": [18446744073709551616]}',
        b'{"id": 1' + b"0" * 5000 + b', "name": "a"}',
        b'{"id": 1e999, "name": "a"}',
        b"[" * 5000 + b"]" * 5000,
        b'{"id": 1, "name": "a", "other": ' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"id": 1, "name": "a", "other": ' + b'{"a":' * 1500 + b"1" + b"}" * 1500 + b"}",
    ],
)
async def test_json_that_cannot_be_read_is_400(post: Post, body: bytes) -> None:
    answer = await post("/api/v1/echo", body, JSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:hustings:problem:malformed"


@pytest.mark.parametrize(
    "body", [b"", b"id=1&name=%ff", b"id=1&name=a%00b", b"id=1&name=\xff", b"a=1&" * 1500]
)
async def test_a_form_that_cannot_be_read_is_400(post: Post, body: bytes) -> None:
    answer = await post("/api/v1/echo", body, FORM)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:hustings:problem:malformed")


async def test_bad_values_in_a_good_body_are_422_and_named(post: Post) -> None:
    answer = await post("/api/v1/echo", b'{"id": "many", "name": "a"}', JSON)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "id", "message": "Expected `int`, got `str`"}]
    for body in (b"null", b"[]", b"5", b'{"id": 1}', b'{"id": 1, "name": "' + b"a" * 101 + b'"}'):
        assert (await post("/api/v1/echo", body, JSON)).status_code == 422


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/jsonx", "multipart/form-data; boundary=x"]
)
async def test_a_content_type_that_the_route_does_not_declare_is_415(post: Post, content_type: str) -> None:
    answer = await post("/api/v1/echo", GOOD, {"content-type": content_type})
    assert answer.status_code == 415
    assert "application/json or application/x-www-form-urlencoded" in answer.json()["detail"]


async def test_a_route_for_json_alone_takes_no_form(post: Post) -> None:
    assert (await post("/api/v1/notes", b"id=1&name=a", FORM)).status_code == 415


async def test_the_content_type_may_have_options_and_capitals(post: Post) -> None:
    answer = await post("/api/v1/echo", GOOD, {"content-type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 201


async def test_a_route_that_reads_bytes_gets_them_as_they_came(post: Post) -> None:
    answer = await post("/api/v1/raw", b"a;\x00\xff", {"content-type": "text/csv"})
    assert (answer.status_code, answer.json()) == (201, {"bytes": 4})
    assert (await post("/api/v1/raw", b"a", JSON)).status_code == 415


async def test_a_route_that_reads_nothing_does_not_mind_a_body(post: Post) -> None:
    assert (await post("/api/v1/nothing", b"\xff" * 50, {"content-type": "image/png"})).status_code == 201


async def test_a_body_above_the_limit_is_413_whether_announced_or_not(post: Post) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1000 + 1):
            yield b"x" * 1000

    big = b"x" * (LIMIT + 1)
    assert (await post("/api/v1/echo", big, JSON)).status_code == 413
    assert (await post("/api/v1/echo", pieces(), JSON)).status_code == 413
    multipart = {"content-type": "multipart/form-data; boundary=x"}
    assert (await post("/api/v1/parts", big, multipart)).status_code == 413
    just_fits = GOOD[:-1] + b" " * (LIMIT - len(GOOD)) + b"}"
    assert (await post("/api/v1/echo", just_fits, JSON)).status_code == 201


PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n%s\r\n%s\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ("", PART % (b"", b"1")),
        ("; charset=utf-8", PART % (b"", b"1")),
        ("; boundary=x", b"nonsense"),
        ("; boundary=x", b"--x\r\nContent"),
        ("; boundary=x", PART % (b"", b"\xff")),
        ("; boundary=x", PART % (b"Content-Type: text/plain; charset=none-such\r\n", b"1")),
    ],
)
async def test_a_multipart_form_that_cannot_be_read_is_400(post: Post, options: str, body: bytes) -> None:
    answer = await post("/api/v1/parts", body, {"content-type": f"multipart/form-data{options}"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_a_good_multipart_form_arrives(post: Post) -> None:
    answer = await post(
        "/api/v1/parts", PART % (b"", b"1"), {"content-type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json()) == (201, {"a": "1"})


def test_depth_is_counted_exactly() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    decode(deepest, "application/json")
    with pytest.raises(Malformed, match="nested"):
        decode(b"[" + deepest + b"]", "application/json")


def test_the_outermost_numbers_of_64_bits_are_read() -> None:
    ends = [-(2**63), 2**63 - 1]
    assert decode(str(ends).encode(), "application/json") == ends


async def test_a_body_that_breaks_off_is_malformed() -> None:
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    with pytest.raises(Malformed, match="broke off"):
        await read_body(scope(), receive, 100)


async def test_pieces_are_passed_on_until_they_break_off_too_early() -> None:
    whole = unbroken(replay(b"all"))
    assert (await whole())["type"] == "http.request"
    assert (await whole())["type"] == "http.disconnect"

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(Malformed):
        await unbroken(gone)()

    async def silence() -> Any:
        await anyio.sleep_forever()

    with pytest.raises(TooSlow, match="next piece"):
        await unbroken(silence, 0.01)()


async def test_an_announced_size_is_believed_only_when_it_is_a_number() -> None:
    odd = scope((b"content-length", b"many"))
    assert await read_body(odd, replay(b"ab"), 2) == b"ab"
    with pytest.raises(TooLarge):
        await read_body(odd, replay(b"abc"), 2)


async def test_a_body_that_never_comes_is_given_up() -> None:
    async def silence() -> Any:
        await anyio.sleep_forever()

    with pytest.raises(TooSlow, match=r"0\.01 seconds"):
        await BodyGuard(seconds=0.01)._read(scope(), silence, 10)
