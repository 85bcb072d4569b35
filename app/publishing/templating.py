"""The Jinja2 environment of the public pages, and a digest of each template.

A template gets a struct as `page`, the shell of its site as `site`, its root-relative `path`, and as `shared`
what the pages of a release have in common; nothing else, so that the same content gives the same bytes on any
day and on any machine.

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
from collections.abc import Hashable, Iterator
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import babel
import jinja2
from babel.core import Locale
from babel.dates import parse_pattern
from babel.numbers import format_decimal
from jinja2 import meta
from markupsafe import Markup, escape

from app.publishing import compiling
from app.publishing.compiling import DirectEnvironment

FRAGMENTS = {"header": "site/partials/header.html", "footer": "site/partials/footer.html"}
_PATH_SAFE = "/-._~!$&'()*+,;=:@%"


def make_environment(folder: Path) -> jinja2.Environment:
    """The environment over the templates in `folder`; names in it start below that folder: site/home.html."""
    environment = DirectEnvironment(
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


class Shared:
    """What is the same on many pages of a release, made once: header and navigation, and the footer's lists.

    Templates get it as `shared`. The digests of FRAGMENTS belong into the fingerprint of every page.
    """

    def __init__(self, environment: jinja2.Environment, site: Any) -> None:
        self._environment = environment
        self._site = site
        self._made: dict[Hashable, Markup] = {}

    def header(self, path: str) -> Markup:
        """With the mark on where the reader is; pages that leave the same marks share one text."""
        place = path if self._is_in_navigation(path) else self._above(path)
        return self._fragment("header", place, path)

    def footer(self) -> Markup:
        return self._fragment("footer", "", "")

    def _is_in_navigation(self, path: str) -> bool:
        return path == "/" or any(item.url == path for item in self._site.navigation)

    def _above(self, path: str) -> tuple[str, ...]:
        return tuple(item.url for item in self._site.navigation if path.startswith(item.url))

    def _fragment(self, name: str, place: Hashable, path: str) -> Markup:
        key = (name, place)
        if key not in self._made:
            template = self._environment.get_template(FRAGMENTS[name])
            self._made[key] = Markup(template.render(site=self._site, path=path).strip())  # noqa: S704 - escaped by the template
        return self._made[key]


def template_digests(environment: jinja2.Environment) -> dict[str, str]:
    """For each template a sha256 over its source and that of all it extends, includes or imports.

    The digest also covers the filters and the versions of Jinja2 and Babel: all that can change what the same
    struct looks like. Raises jinja2.TemplateError for a template that does not parse, ValueError for one that
    names another by a variable.
    """
    base = hashlib.sha256()
    for module in (__file__, compiling.__file__):
        base.update(Path(module).read_bytes())
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
    text = text.strip()
    if "\n" not in text and "\r" not in text:
        return escape(text)
    return Markup("<br>").join(escape(line.strip()) for line in text.splitlines())


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
