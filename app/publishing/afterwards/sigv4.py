"""Signature Version 4, by which Amazon's services know who asks."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

ALGORITHM = "AWS4-HMAC-SHA256"


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    secret: str
    region: str
    service: str

    def __repr__(self) -> str:
        return f"Signer({self.service} in {self.region})"

    def sign(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> dict[str, str]:
        """The headers with which the request has to be sent: those given, and three more.

        The URL has no query, and nothing in its path that would have to be percent-encoded.
        """
        parts = urlsplit(url)
        moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        named = {name.lower(): value.strip() for name, value in headers.items()}
        named |= {"host": parts.netloc, "x-amz-date": moment}
        signed = ";".join(sorted(named))
        told = [f"{name}:{named[name]}" for name in sorted(named)]
        request = "\n".join([method, parts.path or "/", "", *told, "", signed, _hash(body)])
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        text = "\n".join([ALGORITHM, moment, scope, _hash(request.encode())])
        signature = hmac.new(self._signing_key(moment[:8]), text.encode(), hashlib.sha256).hexdigest()
        credential = f"{ALGORITHM} Credential={self.key}/{scope}"
        return named | {"authorization": f"{credential}, SignedHeaders={signed}, Signature={signature}"}

    def _signing_key(self, day: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
