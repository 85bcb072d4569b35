"""From a document to a struct: every wrong field is reported, with its line, not only the first."""

import difflib
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from app.kit.slugs import SLUG, SLUG_LENGTH
from app.packs.document import Document, Path
from app.packs.problems import Problems

T = TypeVar("T", bound=msgspec.Struct)

Slug = Annotated[
    str,
    Meta(
        pattern=rf"^{SLUG}\Z",
        max_length=SLUG_LENGTH,
        description=f"lower-case letters, digits and single hyphens, at most {SLUG_LENGTH}",
    ),
]
Line = Annotated[
    str, Meta(pattern=r"\S", max_length=500, description="text that is not empty, of at most 500 characters")
]
Position = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1, description="a whole number below 2,147,483,648")]
Locale = Annotated[
    str,
    Meta(
        pattern=r"^[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-[A-Z]{2})?\Z",
        description="a language such as en or pt-BR",
    ),
]
Email = Annotated[
    str,
    Meta(pattern=r"^(?:[^\s@<>]+@[^\s@<>]+)?\Z", description="an e-mail address such as info@example.org"),
]
Link = Annotated[
    str,
    Meta(
        pattern=r"^(?:(?:/(?!/)|#|https?://[^/]|mailto:|tel:)\S*)?\Z",
        description="a link that starts with /, https:// or mailto:",
    ),
]
WebAddress = Annotated[
    str, Meta(pattern=r"^(?:https?://[^/\s]\S*)?\Z", description="an address that starts with https://")
]
ImageName = Annotated[
    str,
    Meta(
        pattern=r"^(?:media/[A-Za-z0-9_-][A-Za-z0-9._-]*)?\Z",
        description="the path of a picture such as media/hero.webp",
    ),
]
Moment = Annotated[
    datetime, Meta(tz=True, description="a time with its offset, such as 2026-03-01T12:00:00Z")
]

_WANTED: Mapping[object, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
}


def build(struct: type[T], document: Document, problems: Problems, path: Path = ()) -> T | None:
    """The struct, or None with a problem for each field that is unknown, missing or wrong."""
    values: Any = document.values
    for step in path:
        values = values[step]
    before = len(problems)
    fields = _fields(struct)
    for name in values:
        if name not in fields:
            message = f"{name} is not a field; {_suggestion(name, fields)}"
            problems.add(document.file, message, line=document.line(*path, name))
    made: dict[str, Any] = {}
    for name, (hint, is_required) in fields.items():
        if name in values:
            made[name] = _convert(values[name], hint, document, problems, (*path, name))
        elif is_required:
            problems.add(document.file, "is missing", line=document.line(*path), field=_shown((*path, name)))
    return struct(**made) if len(problems) == before else None


def default(struct: type[msgspec.Struct], name: str) -> object:
    """The value that a file need not write; msgspec.NODEFAULT when it must."""
    field = next(field for field in msgspec.structs.fields(struct) if field.name == name)
    return field.default_factory() if callable(field.default_factory) else field.default


@cache
def _fields(struct: type[msgspec.Struct]) -> dict[str, tuple[Any, bool]]:
    hints = get_type_hints(struct, include_extras=True)
    return {field.name: (hints[field.name], field.required) for field in msgspec.structs.fields(struct)}


def _convert(value: object, hint: Any, document: Document, problems: Problems, path: Path) -> Any:
    if _is_struct(hint) and isinstance(value, dict):
        return build(hint, document, problems, path)
    if get_origin(hint) is list and _is_struct(get_args(hint)[0]) and _is_list_of_tables(value):
        return [build(get_args(hint)[0], document, problems, (*path, index)) for index, _ in enumerate(value)]
    try:
        made = msgspec.convert(value, hint, strict=not document.is_text)
        wrong = "must not hold a NUL character" if _has_nul(made) else ""
    except (msgspec.ValidationError, OverflowError):
        made, wrong = None, f"must be {_wanted(hint)}, not {_quoted(value)}"
    if wrong:
        problems.add(document.file, wrong, line=document.line(*path), field=_shown(path))
    return made.astimezone(UTC) if isinstance(made, datetime) else made


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _is_list_of_tables(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _wanted(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return next(
            (str(meta.description) for meta in arguments[1:] if meta.description), _wanted(arguments[0])
        )
    if origin is Literal:
        return "one of " + ", ".join(str(option) for option in arguments)
    if origin in {Union, types.UnionType}:
        return _wanted(next(option for option in arguments if option is not type(None)))
    if origin in {list, dict}:
        return f"{_WANTED[origin]} of {_wanted(arguments[-1])}"
    return _WANTED.get(hint, "a table")


def _suggestion(name: str, fields: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, fields, n=1)
    return f"did you mean {near[0]}?" if near else f"the fields are {', '.join(fields)}"


def _quoted(value: object) -> str:
    text = str(value) if isinstance(value, str | int | float) else type(value).__name__
    return repr(text if len(text) <= 60 else text[:57] + "...") if isinstance(value, str) else text[:60]


def _shown(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(_has_nul(item) for item in value)
