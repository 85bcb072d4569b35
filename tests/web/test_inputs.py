"""Addresses, headers and hosts that are not what they should be."""

from typing import Any

import pytest

from app.errors import Malformed
from app.settings import Settings
from app.web.inputs import check_scope, client_request_id, host_of, split_hosts
from tests.web.world import served

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def scope(path: str = "/api/v1/site", **values: Any) -> Any:
    return {"type": "http", "path": path, "query_string": b"", "headers": [], **values}


@pytest.mark.parametrize(
    "address",
    [
        "/api/%ff",
        "/api/%00",
        "/api/v1/campaigns/a%00b",
        "/api/v1/site?x=%ff",
        "/api/v1/site?%00=1",
        "/api/?%c3",
    ],
)
async def test_bad_bytes_in_the_address_are_400(address: str) -> None:
    async with served(NOWHERE) as world:
        answer = await world.client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("value", [b"\xff\xfe", b"a\0b"])
async def test_bad_bytes_in_a_header_are_400(value: bytes) -> None:
    async with served(NOWHERE) as world:
        answer = await world.client.get("/healthz", headers=[(b"x-anything", value)])
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_a_server_that_gives_no_raw_path_has_its_path_checked() -> None:
    with pytest.raises(Malformed):
        check_scope(scope("/api/\0"), frozenset())
    with pytest.raises(Malformed):
        check_scope(scope("/api/\udcff"), frozenset())


def test_the_raw_path_is_looked_at_because_servers_replace_what_is_not_utf8() -> None:
    with pytest.raises(Malformed, match="path"):
        check_scope(scope("/api/�", raw_path=b"/api/%ff"), frozenset())


def test_two_hosts_are_malformed() -> None:
    with pytest.raises(Malformed, match="more than one Host"):
        check_scope(scope(headers=[(b"host", b"a"), (b"host", b"b")]), frozenset())


@pytest.mark.parametrize(
    ("given", "host"),
    [
        (b"Bay.Example:8000", "bay.example"),
        (b"bay.example", "bay.example"),
        (b"[::1]:80", "[::1]"),
        (b"bay.example.:", "bay.example"),
        (b"", ""),
    ],
)
def test_a_host_is_compared_without_port_and_capitals(given: bytes, host: str) -> None:
    assert host_of(scope(headers=[(b"host", given)])) == host


def test_no_host_at_all_is_the_empty_one() -> None:
    assert host_of(scope()) == ""


async def test_hosts_outside_the_setting_are_400_except_for_health() -> None:
    settings = Settings(allowed_hosts="bay.example, City.example")
    async with served(NOWHERE, settings=settings, base_url="http://evil.example") as world:
        assert (await world.client.get("/api/v1/unknown")).status_code == 400
        assert (await world.client.get("/healthz")).status_code == 200
        allowed = await world.client.get("/api/v1/unknown", headers={"host": "city.example:8000"})
        assert allowed.status_code == 404


def test_hosts_in_the_setting_are_split_at_commas() -> None:
    assert split_hosts(" a.example ,B.example,, ") == {"a.example", "b.example"}
    assert split_hosts("") == frozenset()


@pytest.mark.parametrize(
    ("given", "kept"),
    [(b"abc-12345", "abc-12345"), (b"short", None), (b"with space", None), (b"a" * 65, None)],
)
def test_a_request_id_of_the_client_is_kept_when_it_is_well_formed(given: bytes, kept: str | None) -> None:
    assert client_request_id(scope(headers=[(b"x-request-id", given)])) == kept
