"""The outermost layer around Litestar: one request id, one log line, one measurement for each request.

It also answers what must not depend on a route: bad bytes in address and headers, HEAD, failures without a
response. The gateway's pages do not pass through here.
"""

import secrets
import time
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from app.web.answers import Answer
from app.web.inputs import check_scope, client_request_id
from app.web.metrics import Metrics
from app.web.problems import describe

UNKNOWN = "(none)"
"""The route of requests that no route matches: addresses are never logged or counted as they came."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = structlog.get_logger()


class Edge:
    """`litestar` behind the rules that hold for all its routes; other scopes than HTTP pass untouched."""

    def __init__(self, litestar: ASGIApp, *, metrics: Metrics, allowed_hosts: frozenset[str]) -> None:
        self._litestar = litestar
        self._metrics = metrics
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._litestar(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = client_request_id(scope) or secrets.token_hex(16)
        inner: Any = {**scope, "state": {**scope.get("state", {}), "request_id": request_id}}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        answer = Answer(scope, send, request_id)
        try:
            await self._answer(inner, receive, answer)
        finally:
            self._record(inner, answer, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        try:
            check_scope(scope, self._allowed_hosts)
            await self._litestar(scope, receive, answer.send)
        except Exception as error:
            failure = describe(error, scope)
            if answer.started:
                raise
            headers = [(name.encode(), value.encode()) for name, value in failure.headers.items()]
            headers.append((b"content-length", str(len(failure.body)).encode()))
            await answer.send({"type": "http.response.start", "status": failure.status, "headers": headers})
            await answer.send({"type": "http.response.body", "body": failure.body, "more_body": False})

    def _record(self, scope: Scope, answer: Answer, seconds: float) -> None:
        route = str(scope.get("path_template") or UNKNOWN)
        method = answer.method if answer.method in _METHODS else "OTHER"
        self._metrics.count(method, route, answer.status, seconds)
        _log.info(
            "request",
            method=method,
            route=route,
            status=answer.status,
            ms=round(seconds * 1000, 1),
            request_id=scope["state"]["request_id"],
            site=scope["state"].get("site"),
        )
