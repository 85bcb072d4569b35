"""Invalidations at CloudFront: of paths, or of the whole distribution by a wildcard."""

import hashlib
import re
from collections.abc import Sequence
from html import escape

from app.kit.clock import Clock
from app.publishing.afterwards.calls import Answer, Call, CallFailed, Calls
from app.publishing.afterwards.purger import Stale, check
from app.publishing.afterwards.sigv4 import Signer

API = "https://cloudfront.amazonaws.com"
VERSION = "2020-05-31"

_CODE = re.compile(rb"<Code>([A-Za-z]{1,80})</Code>")
_PASSING = {"TooManyInvalidationsInProgress", "Throttling", "ThrottlingException", "RequestThrottled"}
"""Codes of 4xx that pass: 3,000 paths may be on their way at a time."""


class CloudFront:
    name = "CloudFront"
    most = 500
    """A sixth of what may be on its way at a time, and half of what a month holds without a price."""

    def __init__(self, calls: Calls, distribution: str, signer: Signer, clock: Clock, api: str = API) -> None:
        self._calls = calls
        self._url = f"{api}/{VERSION}/distribution/{distribution}/invalidation"
        self._signer = signer
        self._clock = clock

    async def purge(self, stale: Stale) -> None:
        paths = ["/*"] if stale.is_everything else stale.paths
        body = batch(paths, reference(stale, paths))
        headers = self._signer.sign("POST", self._url, {"content-type": "text/xml"}, body, self._clock())
        call = Call(method="POST", url=self._url, headers=headers, body=body)
        answer = await self._calls.send(call)
        code = _code(answer)
        if code in _PASSING:
            raise CallFailed(f"{self.name} at {call.place} is busy with earlier purges ({code}).")
        check(call, answer, self, code)


def signer_of(key: str, secret: str) -> Signer:
    """The service is in one region, wherever the distribution is."""
    return Signer(key=key, secret=secret, region="us-east-1", service="cloudfront")


def reference(stale: Stale, paths: Sequence[str]) -> str:
    """The same for the same purge: sent twice, it is one invalidation, and counted as one."""
    digest = hashlib.sha256("\n".join([stale.site_id, str(stale.turn), *paths]).encode()).hexdigest()
    return f"hustings-{stale.generation}-{digest[:32]}"


def batch(paths: Sequence[str], told: str) -> bytes:
    items = "".join(f"<Path>{escape(path, quote=False)}</Path>" for path in paths)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/{VERSION}/">'
        f"<CallerReference>{told}</CallerReference>"
        f"<Paths><Items>{items}</Items><Quantity>{len(paths)}</Quantity></Paths>"
        "</InvalidationBatch>"
    ).encode()


def _code(answer: Answer) -> str:
    found = _CODE.search(answer.body)
    return found[1].decode() if found else ""
