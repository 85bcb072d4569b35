"""The Jinja2 environment of the public pages, and a digest of each template.

A template gets a struct as `page`, the shell of its site as `site` and its root-relative `path`; nothing
else, so that the same content gives the same bytes on any day and on any machine.

Filters, each with what it needs spelled out (`{{ page.count | number(site.locale) }}`):

- `number(locale)`: 5,214
- `day(locale)`: 21 November 2026
- `short_day(locale)`: 21 Nov 2026
- `moment(locale, timezone)`: 21 November 2026, 14:00, in the site's time zone
- `iso(timezone)`: the same moment for a `datetime` attribute
- `canonical(base_url)`: the full URL of a root-relative path
- `lines`: a text with its line breaks kept
- `direction`: ltr or rtl, of a locale
- `split_first(mark)`: the text before and after the first mark
"""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import babel
import jinja2
from babel.core import Locale
from babel.dates import parse_pattern
from babel.numbers import format_decimal
from jinja2 import meta
from markupsafe import Markup, escape

_PATH_SAFE = "/-._~!$&'()*+,;=:@%"


def make_environment(folder: Path) -> jinja2.Environment:
    """The environment over the templates in `folder`; names in it start below that folder: site/home.html."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        extensions=["jinja2.ext.i18n"],
    )
    # Old style: a plain sentence is not formatted a second time, which is a sixth of the time of a page.
    environment.install_null_translations(newstyle=False)  # type: ignore[attr-defined]  # put there by the extension
    environment.filters.update(
        number=number,
        day=day,
        short_day=short_day,
        moment=moment,
        iso=iso,
        canonical=canonical,
        lines=lines,
        direction=direction,
        split_first=split_first,
    )
    return environment


def template_digests(environment: jinja2.Environment) -> dict[str, str]:
    """For each template a sha256 over its source and that of all it extends, includes or imports.

    The digest also covers the filters and the versions of Jinja2 and Babel: all that can change what the same
    struct looks like. Raises jinja2.TemplateError for a template that does not parse, ValueError for one that
    names another by a variable.
    """
    base = hashlib.sha256(Path(__file__).read_bytes())
    base.update(f"jinja {jinja2.__version__} babel {babel.__version__}".encode())
    sources = {name: _source(environment, name) for name in environment.list_templates(extensions=["html"])}
    needs = {name: tuple(_references(environment, name, source)) for name, source in sources.items()}
    digests = {}
    for name in sources:
        digest = base.copy()
        for needed in _closure(name, needs):
            digest.update(f"{needed}\0{sources[needed]}\0".encode())
        digests[name] = digest.hexdigest()
    return digests


@lru_cache(maxsize=8192)
def number(value: int, locale: str) -> str:
    return str(format_decimal(value, locale=_locale(locale)))


@lru_cache(maxsize=8192)
def day(value: date, locale: str) -> str:
    """The whole date, written day first where the language allows it: 21 November 2026."""
    return _pattern(locale, "d MMMM y", "long", value)


@lru_cache(maxsize=8192)
def short_day(value: date, locale: str) -> str:
    return _pattern(locale, "d MMM y", "medium", value)


@lru_cache(maxsize=8192)
def moment(value: datetime, locale: str, timezone: str) -> str:
    """Date and clock time in the time zone. Raises ValueError for a moment without a zone of its own."""
    local = _local(value, timezone)
    return f"{day(local.date(), locale)}, {local:%H:%M}"


@lru_cache(maxsize=8192)
def iso(value: datetime, timezone: str) -> str:
    return _local(value, timezone).isoformat(timespec="seconds")


def canonical(path: str, base_url: str) -> str:
    return base_url + quote(path, safe=_PATH_SAFE)


def lines(text: str) -> Markup:
    """Escaped, with `<br>` for each line break that is not at an end."""
    return Markup("<br>").join(escape(line.strip()) for line in text.strip().splitlines())


@lru_cache(maxsize=256)
def direction(locale: str) -> str:
    return str(_locale(locale).text_direction)


def split_first(text: str, mark: str) -> tuple[str, str]:
    before, _, after = text.partition(mark)
    return before.strip(), after.strip()


@lru_cache(maxsize=256)
def _locale(name: str) -> Locale:
    return Locale.parse(name, sep="-" if "-" in name else "_")


def _pattern(locale: str, english: str, width: str, value: date) -> str:
    """English dates have the day first, without a comma; other languages follow their own custom."""
    parsed = _locale(locale)
    pattern = parse_pattern(english) if parsed.language == "en" else parsed.date_formats[width]
    return str(pattern.apply(value, parsed))


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _local(value: datetime, timezone: str) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone; times are aware and UTC.")
    return value.astimezone(_zone(timezone))


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None  # noqa: S101 - it has listed the names
    return environment.loader.get_source(environment, name)[0]


def _references(environment: jinja2.Environment, name: str, source: str) -> Iterator[str]:
    for referenced in meta.find_referenced_templates(environment.parse(source, name)):
        if referenced is None:
            raise ValueError(f"{name} names a template by a variable; write its name out.")
        yield referenced


def _closure(name: str, needs: dict[str, tuple[str, ...]]) -> list[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in needs:
            raise jinja2.TemplateNotFound(current)
        if current not in found:
            found.add(current)
            waiting.extend(needs[current])
    return sorted(found)
