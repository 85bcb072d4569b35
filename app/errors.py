"""Expected failures. Each has a name, an HTTP status and a sentence for the person who meets it.

`app.asgi` maps them to `application/problem+json`; `app.cli` prints the sentence and exits with 1.
"""

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One bad value: which field (dotted path, as the client wrote it) and what to do about it."""

    field: str
    message: str


class AppError(Exception):
    """Base of every expected failure; `str(error)` is a whole sentence that may be shown to anybody."""

    status = 500
    title = "Something went wrong here"
    retry_after: int | None = None
    """Seconds after which the same request may succeed; sent as Retry-After."""

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class Malformed(AppError):
    """The bytes are not what they say they are: not JSON, not UTF-8, not a cursor."""

    status = 400
    title = "The request could not be read"


class Forbidden(AppError):
    status = 403
    title = "Not allowed"


class NotFound(AppError):
    status = 404
    title = "Not found"


class Conflict(AppError):
    status = 409
    title = "Conflict with what is stored"


class Contended(Conflict):
    """Somebody else changed the same thing at the same moment; the same request may succeed next time."""

    retry_after = 1


class TooSlow(AppError):
    """The client did not send what it announced in time."""

    status = 408
    title = "The request took too long to arrive"


class TooLarge(AppError):
    status = 413
    title = "Too large"


class UnsupportedMediaType(AppError):
    status = 415
    title = "Unsupported content type"


class Unprocessable(AppError):
    """Well-formed, with values that cannot be accepted."""

    status = 422
    title = "Some values cannot be accepted"


class Unavailable(AppError):
    """A backing service (database, store) does not answer; nothing was changed."""

    status = 503
    title = "A service that this needs is not available"
    retry_after = 5


class ConfigurationError(AppError):
    """The program cannot start as it is configured; the sentence names the variable or the path."""

    title = "The configuration cannot be used"


class PublishError(AppError):
    """A release failed before anything became visible; the sentence names the page or the call."""

    title = "Nothing went live"


class JobRefused(AppError):
    """A job that cannot succeed however often it is tried; it is kept as failed and not tried again."""

    title = "The job cannot be done"
