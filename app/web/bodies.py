"""Bodies of requests: their content type, size and time, and what their values may be, for every route.

A handler declares `data: JSONBody[T]`. With `**JSON_OR_FORM` in its route it also takes the same fields as
`application/x-www-form-urlencoded`; a field that is given twice is a list. Routes that read `body` themselves
say what they take with `opt={"accepts": ("text/csv",)}`.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qsl

import anyio
import msgspec
from litestar import Request
from litestar.enums import RequestEncodingType, ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.openapi.spec import Operation, RequestBody
from litestar.params import BodyKwarg
from litestar.types import ASGIApp, HTTPDisconnectEvent, HTTPReceiveMessage, Receive, Scope, Send

from app.errors import Malformed, TooLarge, TooSlow, UnsupportedMediaType
from app.web.inputs import header

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MAX_BODY = 1024 * 1024
"""Bytes of a body that a route takes unless it sets `request_max_body_size`."""
BODY_SECONDS = 30.0
MAX_DEPTH = 32
MAX_FIELDS = 1000
INT64 = range(-(2**63), 2**63)
DECODED = "decoded_body"

_GONE: HTTPDisconnectEvent = {"type": "http.disconnect"}


@dataclasses.dataclass
class FormOperation(Operation):
    """An OpenAPI operation whose JSON body may also come as a form."""

    def __post_init__(self) -> None:
        if isinstance(self.request_body, RequestBody):
            self.request_body.content[FORM] = self.request_body.content[JSON]


JSON_OR_FORM: dict[str, Any] = {"opt": {"accepts": (JSON, FORM)}, "operation_class": FormOperation}


class CheckedRequest(Request[Any, Any, Any]):
    """Hands out the body that BodyGuard has already decoded and looked through."""

    async def json(self) -> Any:
        return self.scope["state"][DECODED]


class BodyGuard(ASGIMiddleware):
    """Reads the body of every route that declares one, before anything else looks at it."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, *, seconds: float = BODY_SECONDS) -> None:
        self._seconds = seconds

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        handler = scope["route_handler"]
        if not isinstance(handler, HTTPRouteHandler) or not (accepted := accepted_types(handler)):
            await next_app(scope, receive, send)
            return
        content_type, options = _content_type(scope)
        if content_type not in accepted:
            raise UnsupportedMediaType(f"Send the body as {' or '.join(accepted)}.")
        if content_type == MULTIPART:
            _check_boundary(options)
            await next_app(scope, unbroken(receive, self._seconds), send)
            return
        body = await self._read(scope, receive, handler.resolve_request_max_body_size())
        scope["state"][DECODED] = decode(body, content_type)
        await next_app(scope, replay(body), send)

    async def _read(self, scope: Scope, receive: Receive, limit: int | None) -> bytes:
        try:
            with anyio.fail_after(self._seconds):
                return await read_body(scope, receive, limit or MAX_BODY)
        except TimeoutError:
            raise TooSlow(f"The body did not arrive within {self._seconds:g} seconds.") from None


def accepted_types(handler: HTTPRouteHandler) -> tuple[str, ...]:
    """The content types that a route declares; empty when it reads no body."""
    declared: tuple[str, ...] | None = handler.opt.get("accepts")
    if declared is not None:
        return declared
    data = handler.parsed_fn_signature.parameters.get("data")
    if data is None:
        return ()
    kwarg = data.kwarg_definition
    media_type = kwarg.media_type if isinstance(kwarg, BodyKwarg) else RequestEncodingType.JSON
    return (media_type.value if isinstance(media_type, RequestEncodingType) else str(media_type),)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises TooLarge above `limit` bytes, Malformed when it breaks off."""
    announced = header(scope, b"content-length") or b""
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(f"The body may have at most {limit} bytes.")
    parts = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Malformed("The body broke off before its end.")
        parts += message.get("body", b"")
        more = message.get("more_body", False)
        if len(parts) > limit:
            raise TooLarge(f"The body may have at most {limit} bytes.")
    return bytes(parts)


def decode(body: bytes, content_type: str) -> Any:
    """The values in a body, checked; bytes of other types are only handed on. Raises Malformed."""
    if content_type not in {JSON, FORM}:
        return body
    if not body:
        raise Malformed("The body is empty.")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    values = _decode_json(text) if content_type == JSON else _decode_form(text)
    _check_values(values)
    return values


def replay(body: bytes) -> Receive:
    """A `receive` that gives the body once more, and then says that the client has gone."""
    messages: Iterator[HTTPReceiveMessage] = iter(
        [{"type": "http.request", "body": body, "more_body": False}, _GONE]
    )

    async def receive() -> HTTPReceiveMessage:
        return next(messages, _GONE)

    return receive


def unbroken(receive: Receive, seconds: float = BODY_SECONDS) -> Receive:
    """A `receive` for bodies that are read in pieces.

    Raises Malformed when they break off, TooSlow when the next piece does not come in time.
    """
    more = True

    async def checked() -> HTTPReceiveMessage:
        nonlocal more
        try:
            with anyio.fail_after(seconds if more else None):
                message = cast("HTTPReceiveMessage", await receive())
        except TimeoutError:
            raise TooSlow(f"The next piece of the body did not arrive within {seconds:g} seconds.") from None
        if message["type"] == "http.request":
            more = message.get("more_body", False)
        elif more:
            raise Malformed("The body broke off before its end.")
        return message

    return checked


def _content_type(scope: Scope) -> tuple[str, str]:
    value = (header(scope, b"content-type") or b"").decode()
    name, _, options = value.partition(";")
    return name.strip().lower(), options


def _check_boundary(options: str) -> None:
    if not any(option.strip().lower().startswith("boundary=") for option in options.split(";")):
        raise Malformed("The content type names no boundary between the parts of the form.")


def _decode_json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Malformed(f"The body is not JSON that can be read: {reason}.") from None


def _decode_form(text: str) -> dict[str, str | list[str]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise Malformed("The form is not UTF-8.") from None
    except ValueError:
        raise Malformed(f"The form has more than {MAX_FIELDS} fields.") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _check_values(root: Any) -> None:
    """Without recursion, so that no depth can exhaust the stack."""
    waiting = [(root, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            _check_string(value)
        elif isinstance(value, int):
            _check_number(value)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise Malformed(f"The body is nested more than {MAX_DEPTH} levels deep.")
            inner = (*value, *value.values()) if isinstance(value, dict) else value
            waiting.extend((each, depth + 1) for each in inner)


def _check_string(value: str) -> None:
    if "\0" in value:
        raise Malformed("A text in the body holds a NUL.")


def _check_number(value: int) -> None:
    if value not in INT64:
        raise Malformed("A number in the body is larger than 64 bits can hold.")
