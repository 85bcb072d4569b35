"""Purges at Cloudflare: by URL, or the whole zone."""

from itertools import islice

import msgspec

from app.publishing.afterwards.calls import Answer, Call, CallRefused, Calls
from app.publishing.afterwards.purger import Stale, check

API = "https://api.cloudflare.com"
BATCH = 30
"""URLs in one call, on every plan but the largest."""


class _Problem(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Verdict(msgspec.Struct):
    success: bool = False
    errors: list[_Problem] = []


class Cloudflare:
    name = "Cloudflare"
    most = 600

    def __init__(self, calls: Calls, zone: str, token: str, api: str = API) -> None:
        self._calls = calls
        self._url = f"{api}/client/v4/zones/{zone}/purge_cache"
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    async def purge(self, stale: Stale) -> None:
        if stale.is_everything:
            await self._send({"purge_everything": True})
            return
        urls = iter(stale.urls)
        while batch := list(islice(urls, BATCH)):
            await self._send({"files": batch})

    async def _send(self, wanted: dict[str, object]) -> None:
        body = msgspec.json.encode(wanted)
        call = Call(method="POST", url=self._url, headers=self._headers, body=body)
        answer = await self._calls.send(call)
        verdict = _verdict(answer)
        codes = ", ".join(f"error {problem.code}" for problem in verdict.errors[:3])
        check(call, answer, self, codes)
        if not verdict.success:
            raise CallRefused(
                f"{self.name} at {call.place} did not purge ({codes or 'it does not say why'}). "
                "Check HUSTINGS_PURGE_URL."
            )


def _verdict(answer: Answer) -> _Verdict:
    try:
        return msgspec.json.decode(answer.body, type=_Verdict)
    except msgspec.DecodeError:
        return _Verdict()
