"""Every failure as `application/problem+json` (RFC 9457), in one place for all routes."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Scope

from app.database.failures import from_database
from app.errors import (
    AppError,
    FieldError,
    Forbidden,
    Malformed,
    NotFound,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
)
from app.logs import traceback_of

MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger()
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PASSED_ON = {"allow", "retry-after", "www-authenticate"}
_MISSING = "Missing required "
_NAMES = {
    kind.status: (kind.__name__, kind.title)
    for kind in (Malformed, Forbidden, NotFound, TooLarge, UnsupportedMediaType, Unprocessable)
}
_SENTENCES = {
    400: "The request could not be read.",
    401: "Say who you are first.",
    403: "You may not do this.",
    404: "There is nothing at this address.",
    405: "This address does not know this method; the Allow header names those it knows.",
    413: "The body is larger than this address accepts.",
    429: "Too many requests; wait for the time that Retry-After gives.",
    500: "Something went wrong here. It was written down under the request id.",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, for people (`title`, `detail`) and for programs (`type`, `status`, `errors`)."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    request_id: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A problem on its way out: its status, headers in lower case, and encoded body."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem_handler(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The only exception handler of the application."""
    failure = describe(error, request.scope)
    headers = {name: value for name, value in failure.headers.items() if name != "content-type"}
    return Response(failure.body, status_code=failure.status, headers=headers, media_type=MEDIA_TYPE)


def describe(error: Exception, scope: Scope) -> Failure:
    """The problem for `error`; what nobody expected is logged with its traceback and says nothing else."""
    request_id = str(scope.get("state", {}).get("request_id", ""))
    expected = _expected(error, scope)
    if isinstance(expected, AppError):
        return _from_app_error(expected, request_id)
    if isinstance(expected, HTTPException) and expected.status_code < 500:
        return _from_http_exception(expected, request_id, scope)
    _log.error("failure", request_id=request_id, traceback=traceback_of(error))
    return _failure("internal-error", "Something went wrong here", 500, _SENTENCES[500], request_id)


def _expected(error: BaseException, scope: Scope) -> BaseException:
    """The failure behind `error`: of one dependency in a group, of the database, of a form's text."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if type(error) in {UnicodeDecodeError, LookupError} and _is_multipart(scope):
        return Malformed("A part of the form is not text in the encoding that it names.")
    return from_database(error) or error


def _is_multipart(scope: Scope) -> bool:
    return any(
        name == b"content-type" and value.lower().startswith(b"multipart/")
        for name, value in scope["headers"]
    )


def _from_app_error(error: AppError, request_id: str) -> Failure:
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return _failure(
        type(error).__name__,
        error.title,
        error.status,
        error.detail,
        request_id,
        errors=error.errors,
        headers=headers,
    )


def _from_http_exception(error: HTTPException, request_id: str, scope: Scope) -> Failure:
    status = error.status_code
    errors: tuple[FieldError, ...] = ()
    detail = _SENTENCES.get(status, _SENTENCES[400])
    if isinstance(error, ValidationException):
        status, detail, errors = _validation(error, scope)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    kept = {name: value for name, value in headers.items() if name in _PASSED_ON}
    kind, title = _NAMES.get(status) or (HTTPStatus(status).phrase,) * 2
    return _failure(kind, title, status, detail, request_id, errors=errors, headers=kept)


def _validation(error: ValidationException, scope: Scope) -> tuple[int, str, tuple[FieldError, ...]]:
    """422 when only values of a body are wrong, 400 when a parameter of the address is."""
    extra = error.extra if isinstance(error.extra, list) else []
    errors = tuple(
        FieldError(_public_name(str(each.get("key", "")), scope), str(each["message"])) for each in extra
    )
    if extra and all(each.get("source") == "body" for each in extra):
        return 422, "Some values in the body cannot be accepted.", errors
    if error.detail.startswith(_MISSING):
        return 400, error.detail.partition(" for path ")[0] + ".", errors
    return 400, "Some parameters of the request cannot be accepted.", errors


def _public_name(key: str, scope: Scope) -> str:
    """What the client calls a parameter, where the handler had to call it something else."""
    handler = scope.get("route_handler")
    field = handler.parsed_fn_signature.parameters.get(key) if isinstance(handler, HTTPRouteHandler) else None
    return (field and getattr(field.kwarg_definition, "name", None)) or key


def _failure(
    kind: str,
    title: str,
    status: int,
    detail: str,
    request_id: str,
    *,
    errors: tuple[FieldError, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Failure:
    problem = Problem(
        type="urn:hustings:problem:" + _WORDS.sub("-", kind).replace(" ", "-").lower(),
        title=title,
        status=status,
        detail=detail,
        errors=errors,
        request_id=request_id,
    )
    return Failure(
        status=status,
        headers={"content-type": MEDIA_TYPE, **(headers or {})},
        body=msgspec.json.encode(problem),
    )
