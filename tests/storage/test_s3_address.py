import pytest

from app.errors import ConfigurationError
from app.storage.s3_address import Address, parse_address


def test_every_part_is_read() -> None:
    address = parse_address("s3+https://key:secret@s3.example.org:9000/my-bucket?region=eu-west-1")
    assert address == Address("s3.example.org:9000", "my-bucket", "key", "secret", True, "eu-west-1")


def test_secrets_are_percent_decoded() -> None:
    address = parse_address("s3+http://k%40y:a%2Fb+c%25@[::1]:9000/my-bucket/")
    assert (address.key, address.secret, address.host) == ("k@y", "a/b+c%", "[::1]:9000")
    assert (address.is_secure, address.region) == (False, None)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("s3+http://key:topsecret@/bucket", "names no host"),
        ("s3+http://key:topsecret@host:port/bucket", "write / in a secret as %2F"),
        ("s3+http://key:top/secret@host/bucket", "write / in a secret as %2F"),
        ("s3+http://:topsecret@host/bucket", "has no key"),
        ("s3+http://topsecret@host/bucket", "has no secret"),
        ("s3+http://key:topsecret@host", "name of a bucket"),
        ("s3+http://key:topsecret@host/b", "name of a bucket"),
        ("s3+http://key:topsecret@host/Bucket", "name of a bucket"),
        ("s3+http://key:topsecret@host/bucket/folder", "name of a bucket"),
        ("s3+http://key:topsecret@host/bucket?color=red", "only \\?region="),
        ("s3+http://key:topsecret@host/bucket?region=", "only \\?region="),
        ("s3+http://key:topsecret@host/bucket?region=a#b", "only \\?region="),
        ("s3://key:topsecret@host/bucket", "names no host"),
    ],
)
def test_a_bad_address_is_a_sentence_without_the_secret(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=f"HUSTINGS_STORE_URL must look like .*{reason}") as caught:
        parse_address(url)
    assert "topsecret" not in str(caught.value)


def test_neither_text_nor_repr_shows_the_secret() -> None:
    address = parse_address("s3+https://key:topsecret@host/bucket")
    assert str(address) == "https://host, bucket bucket"
    assert "topsecret" not in repr(address)
