"""A purge told to an address of one's own, signed as Standard Webhooks has it."""

import base64
import binascii
import hashlib
import hmac

import msgspec

from app.kit.clock import Clock
from app.publishing.afterwards.calls import Call, Calls
from app.publishing.afterwards.purger import Stale, check

PREFIX = "whsec_"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The body. `type` and `data` are where receivers of such webhooks look."""

    type: str = "caches.purge"
    data: dict[str, object]


class Webhook:
    """`secret` is a text, or base64 behind `whsec_`. The id of a message stays when it is sent again."""

    name = "The webhook"
    most = 1_000

    def __init__(self, calls: Calls, url: str, secret: str, clock: Clock) -> None:
        self._calls = calls
        self._url = url
        self._key = secret_bytes(secret)
        self._clock = clock

    async def purge(self, stale: Stale) -> None:
        data: dict[str, object] = {
            "site": stale.site,
            "release": stale.release,
            "generation": stale.generation,
            "everything": stale.is_everything,
            "urls": stale.urls,
        }
        body = msgspec.json.encode(Told(data=data))
        digest = hashlib.sha256(f"{stale.site_id} {stale.turn} ".encode() + body).hexdigest()
        message, moment = f"msg_{digest[:32]}", str(int(self._clock().timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": moment,
            "webhook-signature": signature(self._key, message, moment, body),
        }
        call = Call(method="POST", url=self._url, headers=headers, body=body)
        check(call, await self._calls.send(call), self)


def signature(key: bytes, message: str, moment: str, body: bytes) -> str:
    content = f"{message}.{moment}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, content, 'sha256')).decode()}"


def secret_bytes(secret: str) -> bytes:
    """Raises ValueError when what stands behind `whsec_` is not base64."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
