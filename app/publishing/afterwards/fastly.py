"""Purges at Fastly: by URL, or the whole service."""

from urllib.parse import urlsplit

from app.publishing.afterwards.calls import Call, Calls
from app.publishing.afterwards.purger import Stale, check

API = "https://api.fastly.com"


class Fastly:
    """What has changed is purged softly: it may still be shown while a new copy is fetched or the origin is
    away. What is gone is purged at once.
    """

    name = "Fastly"
    most = 200
    """There is a call for each URL."""

    def __init__(self, calls: Calls, service: str, token: str, api: str = API) -> None:
        self._calls = calls
        self._service = service
        self._headers = {"fastly-key": token, "accept": "application/json"}
        self._api = api

    async def purge(self, stale: Stale) -> None:
        if stale.is_everything:
            await self._send(f"/service/{self._service}/purge_all", {})
            return
        host = urlsplit(stale.base_url).netloc
        for path in stale.paths:
            await self._send(f"/purge/{host}{path}", {} if path in stale.gone else {"fastly-soft-purge": "1"})

    async def _send(self, path: str, more: dict[str, str]) -> None:
        call = Call(method="POST", url=self._api + path, headers=self._headers | more, body=b"")
        check(call, await self._calls.send(call), self)
