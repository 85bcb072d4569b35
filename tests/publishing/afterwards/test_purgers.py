"""What each service is sent, and what is made of its answers."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from app.errors import ConfigurationError
from app.publishing.afterwards.calls import CallFailed, CallRefused, Calls
from app.publishing.afterwards.purger import Purger, Stale
from app.publishing.afterwards.urls import open_purger
from app.publishing.afterwards.webhook import secret_bytes, signature
from tests.publishing.afterwards.service import Reply, Service

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GOOD = Reply(body=b'{"success": true}')
STALE = Stale(
    site_id="0199-1",
    site="demo",
    release=7,
    generation=9,
    base_url="https://www.example.org",
    paths=("/", "/campaigns/", "/campaigns/a%20b&c/"),
    gone=frozenset({"/campaigns/a%20b&c/"}),
)
EVERYTHING = msgspec.structs.replace(STALE, paths=(), gone=frozenset(), is_everything=True)
FORMS = {
    "webhook": "webhook+http://:topsecret@{host}/hooks/purge?a=1",
    "fastly": "fastly://topsecret@SU1Z0isxPaozGVKXdv0eY?api=http://{host}",
    "cloudflare": "cloudflare://topsecret@023e105f4ecef8ad9ca31a8372d0c353?api=http://{host}",
    "cloudfront": "cloudfront://AKID:topsecret@EDFDVBD6EXAMPLE?api=http://{host}",
}
Open = Callable[[str], Purger]


@pytest.fixture
def to(service: Service, calls: Calls) -> Open:
    service.otherwise = GOOD

    def opened(form: str) -> Purger:
        purger = open_purger(FORMS[form].format(host=service.host), calls, lambda: NOW)
        assert purger is not None
        return purger

    return opened


async def test_the_webhook_is_told_the_addresses_and_who_says_so(service: Service, to: Open) -> None:
    await to("webhook").purge(STALE)
    [sent] = service.sent
    assert (sent.method, sent.path) == ("POST", "/hooks/purge?a=1")
    assert sent.json == {
        "type": "caches.purge",
        "data": {
            "site": "demo",
            "release": 7,
            "generation": 9,
            "everything": False,
            "urls": [
                "https://www.example.org/",
                "https://www.example.org/campaigns/",
                "https://www.example.org/campaigns/a%20b&c/",
            ],
        },
    }
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    signed = f"{sent.headers['webhook-id']}.{sent.headers['webhook-timestamp']}.".encode() + sent.body
    digest = hmac.new(b"topsecret", signed, hashlib.sha256).digest()
    assert sent.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


async def test_a_message_that_is_sent_again_keeps_its_id(service: Service, to: Open) -> None:
    service.replies = [Reply(500)]
    await to("webhook").purge(STALE)
    await to("webhook").purge(STALE)
    await to("webhook").purge(msgspec.structs.replace(STALE, turn=2))
    await to("webhook").purge(msgspec.structs.replace(STALE, site_id="0199-2"))
    ids = [sent.headers["webhook-id"] for sent in service.sent]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids)) == 3


async def test_the_webhook_is_told_of_everything(service: Service, to: Open) -> None:
    await to("webhook").purge(EVERYTHING)
    assert (service.sent[0].json["data"]["everything"], service.sent[0].json["data"]["urls"]) == (True, [])


def test_a_secret_behind_its_prefix_is_base64() -> None:
    assert secret_bytes("whsec_AAECAw==") == bytes([0, 1, 2, 3])
    assert secret_bytes("plain") == b"plain"
    with pytest.raises(ValueError, match="base64"):
        secret_bytes("whsec_***")


def test_the_example_of_standard_webhooks_comes_out() -> None:
    key = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    told = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_fastly_is_sent_each_address_and_is_soft_on_what_still_exists(
    service: Service, to: Open
) -> None:
    await to("fastly").purge(STALE)
    told = [(sent.method, sent.path, sent.headers.get("fastly-soft-purge")) for sent in service.sent]
    assert told == [
        ("POST", "/purge/www.example.org/", "1"),
        ("POST", "/purge/www.example.org/campaigns/", "1"),
        ("POST", "/purge/www.example.org/campaigns/a%20b&c/", None),
    ]
    assert {sent.headers["fastly-key"] for sent in service.sent} == {"topsecret"}


async def test_fastly_forgets_a_whole_service(service: Service, to: Open) -> None:
    await to("fastly").purge(EVERYTHING)
    assert [sent.path for sent in service.sent] == ["/service/SU1Z0isxPaozGVKXdv0eY/purge_all"]


async def test_cloudflare_takes_thirty_at_a_time(service: Service, to: Open) -> None:
    paths = tuple(f"/{number}/" for number in range(61))
    await to("cloudflare").purge(msgspec.structs.replace(STALE, paths=paths))
    assert [len(sent.json["files"]) for sent in service.sent] == [30, 30, 1]
    files = [url for sent in service.sent for url in sent.json["files"]]
    assert files == [f"https://www.example.org{path}" for path in paths]
    zone = "/client/v4/zones/023e105f4ecef8ad9ca31a8372d0c353/purge_cache"
    assert {(sent.method, sent.path) for sent in service.sent} == {("POST", zone)}
    assert service.sent[0].headers["authorization"] == "Bearer topsecret"


async def test_cloudflare_forgets_a_whole_zone(service: Service, to: Open) -> None:
    await to("cloudflare").purge(EVERYTHING)
    assert [sent.json for sent in service.sent] == [{"purge_everything": True}]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, body=b'{"success": false, "errors": [{"code": 1012, "message": "m"}]}'),
        Reply(400, body=b'{"success": false, "errors": [{"code": 1012, "message": "m"}]}'),
    ],
)
async def test_cloudflare_may_answer_well_and_mean_no(service: Service, to: Open, reply: Reply) -> None:
    service.otherwise = reply
    with pytest.raises(CallRefused, match="error 1012") as refused:
        await to("cloudflare").purge(STALE)
    assert "topsecret" not in refused.value.detail


async def test_cloudfront_gets_one_signed_batch_of_paths(service: Service, to: Open) -> None:
    await to("cloudfront").purge(STALE)
    [sent] = service.sent
    assert (sent.method, sent.path) == ("POST", "/2020-05-31/distribution/EDFDVBD6EXAMPLE/invalidation")
    text = sent.body.decode()
    assert '<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">' in text
    items = "<Path>/</Path><Path>/campaigns/</Path><Path>/campaigns/a%20b&amp;c/</Path>"
    assert f"<Paths><Items>{items}</Items><Quantity>3</Quantity></Paths>" in text
    assert "Credential=AKID/20261121/us-east-1/cloudfront/aws4_request" in sent.headers["authorization"]
    assert sent.headers["host"] == service.host, "the signature is over the host that is asked"


async def test_cloudfront_counts_a_purge_that_is_repeated_once(service: Service, to: Open) -> None:
    for stale in (STALE, STALE, msgspec.structs.replace(STALE, turn=2), EVERYTHING):
        await to("cloudfront").purge(stale)
    bodies = [sent.body for sent in service.sent]
    assert bodies[0] == bodies[1]
    assert len(set(bodies)) == 3
    assert b"<Items><Path>/*</Path></Items><Quantity>1</Quantity>" in bodies[3]


async def test_cloudfront_that_is_busy_is_asked_later(service: Service, to: Open) -> None:
    service.otherwise = Reply(400, body=b"<Error><Code>TooManyInvalidationsInProgress</Code></Error>")
    with pytest.raises(CallFailed, match="busy with earlier purges") as failed:
        await to("cloudfront").purge(STALE)
    assert not isinstance(failed.value, CallRefused)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refusal_says_what_to_do_and_shows_no_secret(
    service: Service, to: Open, form: str, status: int
) -> None:
    service.otherwise = Reply(status)
    with pytest.raises(CallRefused, match=f"refused the purge .{status}") as refused:
        await to(form).purge(STALE)
    assert "HUSTINGS_PURGE_URL" in refused.value.detail
    assert "topsecret" not in refused.value.detail
    assert len(service.sent) == 1


@pytest.mark.parametrize("form", FORMS)
async def test_what_passes_is_waited_for(service: Service, to: Open, form: str) -> None:
    service.replies = [Reply(429, {"retry-after": "0"}), Reply(is_reset=True)]
    await to(form).purge(EVERYTHING)
    assert len(service.sent) == 3


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://topsecret@x", "must look like webhook+https://:SECRET@HOST/PATH or"),
        ("webhook+https://hooks.example/", "has no secret to sign with"),
        ("webhook+https://:topsecret@/", "names no host"),
        ("webhook+https://:topsecret@hooks.example:x/", "cannot be read"),
        ("webhook+https://:topsecret/1@hooks.example/", "cannot be read"),
        ("webhook+https://:topsecret@[::1/", "cannot be read"),
        ("webhook+https://:whsec_topsecret@hooks.example/", "not base64"),
        ("fastly://SERVICE", "it has no token"),
        ("fastly://topsecret@", "is not an id"),
        ("fastly://topsecret@a.example/x", "is not an id"),
        ("fastly://topsecret@ID/topsecret", "is not an id"),
        ("fastly://top%0Asecret@ID", "it has no token"),
        ("cloudflare://topsecret@ID?zone=topsecret", "only ?api=https://HOST may stand"),
        ("cloudflare://topsecret@ID?api=ftp://topsecret", "only ?api=https://HOST may stand"),
        ("cloudfront://topsecret@ID", "it has no key or no secret"),
    ],
)
def test_a_url_of_no_use_is_refused_without_being_repeated(calls: Calls, url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_purger(url, calls)
    assert refused.value.detail.startswith("HUSTINGS_PURGE_URL must look like")
    assert said in refused.value.detail
    assert "topsecret" not in refused.value.detail


def test_without_a_url_there_is_nothing_to_tell(calls: Calls) -> None:
    assert open_purger(None, calls) is None
