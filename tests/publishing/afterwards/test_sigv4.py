"""Signatures as AWS publishes them in its test suite of Signature Version 4."""

from datetime import UTC, datetime

import pytest

from app.publishing.afterwards.sigv4 import Signer

SIGNER = Signer(
    key="AKIDEXAMPLE",
    secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    region="us-east-1",
    service="service",
)
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SCOPE = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"


@pytest.mark.parametrize(
    ("method", "headers", "body", "signed", "signature"),
    [
        (
            "GET",
            {},
            b"",
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "POST",
            {},
            b"",
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "POST",
            FORM,
            b"Param1=value1",
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
)
def test_the_published_examples_come_out(
    method: str, headers: dict[str, str], body: bytes, signed: str, signature: str
) -> None:
    told = SIGNER.sign(method, "https://example.amazonaws.com/", headers, body, AT)
    assert told["authorization"] == f"{SCOPE}, SignedHeaders={signed}, Signature={signature}"
    assert (told["host"], told["x-amz-date"]) == ("example.amazonaws.com", "20150830T123600Z")


def test_it_does_not_show_its_secret() -> None:
    assert "wJalr" not in repr(SIGNER)
