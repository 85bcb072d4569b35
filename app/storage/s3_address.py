"""Where an S3 service is and who asks, from `s3+https://KEY:SECRET@HOST:PORT/BUCKET?region=R`."""

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from app.errors import ConfigurationError

EXAMPLE = "s3+https://KEY:SECRET@s3.example.org/bucket"
SCHEMES = {"s3+http": False, "s3+https": True}

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"region=([a-z0-9-]{1,63})")


@dataclass(frozen=True)
class Address:
    host: str
    """With the port, when there is one."""
    bucket: str
    key: str
    secret: str = field(repr=False)
    is_secure: bool = True
    region: str | None = None
    """None: what the host says or, for hosts that are not Amazon's, `us-east-1`."""
    setting: str = "HUSTINGS_STORE_URL"
    """Where the address stands, for sentences."""

    def __str__(self) -> str:
        """For sentences: without the credentials."""
        return f"{'https' if self.is_secure else 'http'}://{self.host}, bucket {self.bucket}"


def is_s3(url: str) -> bool:
    return url.partition("://")[0] in SCHEMES


def parse_address(url: str) -> Address:
    """Key and secret are percent-decoded. Raises ConfigurationError, which never repeats the secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad("its host or port cannot be read; write / in a secret as %2F") from None
    if not parts.hostname or parts.scheme not in SCHEMES:
        raise _bad("it names no host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(
        host=f"{host}:{port}" if port else host,
        bucket=_bucket(parts),
        key=_credential(parts.username, "key"),
        secret=_credential(parts.password, "secret"),
        is_secure=SCHEMES[parts.scheme],
        region=_region(parts),
    )


def _credential(value: str | None, name: str) -> str:
    if not value:
        raise _bad(f"it has no {name}")
    return unquote(value)


def _bucket(parts: SplitResult) -> str:
    bucket = parts.path.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise _bad("its path is not the name of a bucket: 3 to 63 small letters, digits, dots and hyphens")
    return bucket


def _region(parts: SplitResult) -> str | None:
    if not parts.query and not parts.fragment:
        return None
    found = _REGION.fullmatch(parts.query)
    if found is None or parts.fragment:
        raise _bad("after the bucket only ?region=NAME may stand")
    return found[1]


def _bad(reason: str) -> ConfigurationError:
    return ConfigurationError(f"HUSTINGS_STORE_URL must look like {EXAMPLE}, but {reason}.")
