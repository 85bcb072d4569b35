"""The canonical text of TOML, front matter and CSV: the same values give the same bytes."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from app.packs.document import FENCE, trim_body
from app.packs.fields import default
from app.packs.upsert import Cells

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_SPECIAL = re.compile(r'[\\"\x00-\x1f\x7f]')
_IN_BLOCK = re.compile(r'\\|"""|"\Z|[\x00-\x08\x0b-\x1f\x7f]')
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NEEDS_QUOTES = re.compile(r'[",\n\r]|^\s|\s$')


def toml_text(fields: msgspec.Struct) -> str:
    """Fields in the order of the struct; those that have their default are left out; tables come last."""
    plain: list[str] = []
    tables: list[str] = []
    for name in fields.__struct_fields__:
        value = getattr(fields, name)
        if value == default(type(fields), name):
            continue
        if isinstance(value, msgspec.Struct):
            tables.append(f"\n[{name}]\n{toml_text(value)}")
        elif isinstance(value, dict):
            tables.append(
                f"\n[{name}]\n" + "".join(f"{_key(key)} = {_value(value[key])}\n" for key in sorted(value))
            )
        elif isinstance(value, list) and value and isinstance(value[0], msgspec.Struct):
            tables.extend(f"\n[[{name}]]\n{toml_text(item)}" for item in value)
        else:
            plain.append(f"{name} = {_value(value)}\n")
    return "".join(plain + tables)


def matter_text(fields: msgspec.Struct, body: str) -> str:
    """Front matter between its fences, a blank line and the body."""
    trimmed = trim_body(body)
    return f"{FENCE}\n{toml_text(fields)}{FENCE}\n" + (f"\n{trimmed}\n" if trimmed else "")


def csv_text(columns: Sequence[str], rows: Iterable[Cells]) -> str:
    lines = [",".join(columns)]
    lines.extend(",".join(_cell(row[column]) for column in columns) for row in rows)
    return "\n".join(lines) + "\n"


def moment_text(moment: datetime) -> str:
    """UTC, with microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def number_text(number: float) -> str:
    """The shortest text that is read as the same number."""
    return str(int(number)) if number == int(number) else repr(number)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment_text(value)
    text = number_text(value) if isinstance(value, float) else str(value)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return _string(value) if isinstance(value, str) else str(value)


def _string(text: str) -> str:
    if "\n" not in text:
        return _quoted(text)
    block = _IN_BLOCK.sub(lambda found: "".join(map(_escape, found[0])), text)
    return '"""\n' + re.sub(r"(?m)^\+\+\+", r"\\u002B++", block) + '"""'


def _escaped(found: re.Match[str]) -> str:
    return _escape(found[0])


def _escape(character: str) -> str:
    return _ESCAPES.get(character, f"\\u{ord(character):04x}")


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    """On one line: a key cannot be a block."""
    return '"' + _SPECIAL.sub(_escaped, text) + '"'
