"""Structured logs on standard error: readable on a developer's terminal, JSON lines everywhere else.

No line holds a query string, a body or an address of a person; `traceback_of` keeps the sentences of the
database out too, because they quote rows.
"""

import logging
import re
import sys
import traceback
from typing import TextIO

import structlog
from structlog.typing import Processor

from app.settings import Settings

_ADDRESS = re.compile(r"[^\s@\"'<>()=,;]+@[^\s@\"'<>()=,;]+")
_QUIET = ("sqlalchemy.exc", "asyncpg.exceptions", "sqlalchemy.dialects")


def configure_logs(settings: Settings, stream: TextIO = sys.stderr) -> None:
    """Sets up structlog and sends the standard library's loggers the same way; once in each process."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = _renderer(settings, stream)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _quote_traceback,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))


def traceback_of(error: BaseException) -> str:
    """The frames of `error` and of what caused it, without values from rows and without e-mail addresses."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < 10:
        frames = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"{frames}{type(current).__name__}: {_sentence(current)}")
        current = current.__cause__ or current.__context__
    return "\n\nwhich came from\n\n".join(parts)


def _sentence(error: BaseException) -> str:
    if type(error).__module__.startswith(_QUIET):
        return f"(sqlstate {getattr(getattr(error, 'orig', error), 'sqlstate', None)})"
    return _ADDRESS.sub("[address]", str(error))


def _quote_traceback(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    information = event.pop("exc_info", None)
    if isinstance(information, tuple) and information[1] is not None:
        event["traceback"] = traceback_of(information[1])
    return event


def _renderer(settings: Settings, stream: TextIO) -> Processor:
    chosen = settings.log_format
    if chosen == "auto":
        chosen = "console" if stream.isatty() and not settings.is_production else "json"
    if chosen == "console":
        return structlog.dev.ConsoleRenderer(colors=stream.isatty())
    return structlog.processors.JSONRenderer()
