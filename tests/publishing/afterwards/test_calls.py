"""Calls over real connections: what is repeated, what is not, and what a failure tells."""

from datetime import UTC, datetime

import pytest

from app.logs import traceback_of
from app.publishing.afterwards.calls import Answer, Call, CallFailed, Calls, Patience, wanted_pause
from tests.publishing.afterwards.conftest import PROMPT
from tests.publishing.afterwards.service import Reply, Service

pytestmark = pytest.mark.anyio
HANG, RESET, SHORT = Reply(is_hanging=True), Reply(is_reset=True), Reply(is_short=True)


def post(service: Service) -> Call:
    url = service.url.replace("//", "//user:hidden@") + "/hidden?hidden=1"
    return Call(method="POST", url=url, headers={"fastly-key": "hidden"}, body=b"hidden")


@pytest.mark.parametrize(
    "trouble",
    [Reply(429), Reply(429, {"retry-after": "0"}), Reply(500), Reply(503), RESET, SHORT],
)
async def test_what_passes_is_tried_again(service: Service, calls: Calls, trouble: Reply) -> None:
    service.replies = [trouble, trouble]
    assert (await calls.send(post(service))).status == 200
    assert [sent.body for sent in service.sent] == [b"hidden"] * 3


@pytest.mark.parametrize("status", [200, 204, 301, 400, 403, 404, 501])
async def test_an_answer_that_lasts_is_given_as_it_is(service: Service, calls: Calls, status: int) -> None:
    service.otherwise = Reply(status, {"location": "/elsewhere", "X-Told": "so"}, b"")
    answer = await calls.send(post(service))
    assert (answer.status, answer.headers["x-told"]) == (status, "so")
    assert len(service.sent) == 1, "no redirection is followed, nothing repeated"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(500), "it answered 500"),
        (RESET, "the connection failed"),
        (SHORT, "the connection failed"),
        (Reply(body=b"x" * 300_000), "longer than 262144 bytes"),
    ],
)
async def test_patience_ends_with_a_sentence_without_secrets(
    service: Service, calls: Calls, reply: Reply, told: str
) -> None:
    service.otherwise = reply
    with pytest.raises(CallFailed, match=r"\(3 attempts\)") as failed:
        await calls.send(post(service))
    assert told in failed.value.detail
    assert failed.value.detail.startswith(f"{service.url} did not do")
    assert "hidden" not in failed.value.detail + traceback_of(failed.value)


async def test_silence_is_not_waited_for_for_ever(service: Service) -> None:
    service.replies = [HANG]
    assert (await Calls(Patience(attempts=2, first_pause=0.01, read=1)).send(post(service))).status == 200
    service.otherwise = HANG
    with pytest.raises(CallFailed, match="it was silent for too long"):
        await Calls(Patience(attempts=1, read=0.2)).send(post(service))


async def test_a_service_that_is_not_there_is_named() -> None:
    calls = Calls(Patience(attempts=1))
    with pytest.raises(
        CallFailed, match=r"http://127\.0\.0\.1:1 did not do what it was asked: the connection"
    ):
        await calls.send(Call(method="GET", url="http://127.0.0.1:1/"))


async def test_who_asks_to_be_left_alone_for_long_is(service: Service, calls: Calls) -> None:
    service.otherwise = Reply(429, {"retry-after": "120"})
    with pytest.raises(CallFailed, match="answered 429"):
        await calls.send(post(service))
    assert len(service.sent) == 1


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("3", 3.0),
        ("Sat, 21 Nov 2026 12:00:20 GMT", 20.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 12:00:20", 20.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("9" * 400, 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(told: str, seconds: float) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert wanted_pause(Answer(503, {"retry-after": told}, b""), now) == seconds


def test_pauses_grow_to_a_limit() -> None:
    assert PROMPT.pause(1) <= 0.01
    assert 0.025 <= PROMPT.pause(20) <= 0.05
