"""Names of content files: `<slug>.md`, `<slug>.<locale>.md`, `NN-name.md`, `<slug>.blocks/`."""

import re

import msgspec

from app.kit.slugs import SLUG, SLUG_LENGTH
from app.packs.parts import Reading

_LOCALE = r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-[A-Z]{2})?"
_NAME = rf"(?P<slug>{SLUG})(?:\.(?P<locale>{_LOCALE}))?"
_PAGE = re.compile(rf"{_NAME}\.md")
_HOME = re.compile(rf"{_NAME}\.toml")
_BLOCK = re.compile(rf"(?P<position>\d{{2,6}})-(?P<slug>{SLUG})(?:\.(?P<locale>{_LOCALE}))?\.md")


class FileName(msgspec.Struct, frozen=True):
    slug: str
    locale: str
    """The site's own for a file without a suffix."""
    is_translation: bool
    position: int = 0


def home_name(pack: Reading, file: str) -> FileName | None:
    """The same for `homepage.toml` and `homepage.<locale>.toml`."""
    return _read(pack, file, _HOME, "homepage.toml, or homepage.de.toml for a translation")


def content_name(pack: Reading, file: str) -> FileName | None:
    """What `<slug>.md` or `<slug>.<locale>.md` says; None with a problem for a bad name."""
    return _read(
        pack, file, _PAGE, "lower-case letters, digits and single hyphens, such as free-well-tests.md"
    )


def block_name(pack: Reading, file: str) -> FileName | None:
    """What `NN-name.md` or `NN-name.<locale>.md` says; None with a problem for a bad name."""
    return _read(pack, file, _BLOCK, "two digits and a slug, such as 01-water.md")


def name_text(slug: str, locale: str, own: str, ending: str = "md") -> str:
    """The file's name: with a suffix for another language than the site's own."""
    return f"{slug}.{ending}" if locale == own else f"{slug}.{locale}.{ending}"


def _read(pack: Reading, file: str, pattern: "re.Pattern[str]", wanted: str) -> FileName | None:
    pack.folder.claim(file)
    found = pattern.fullmatch(file.rpartition("/")[2])
    if found is None or len(found["slug"]) > SLUG_LENGTH:
        pack.problems.add(file, f"is not a good file name; it must be {wanted}")
        return None
    groups = found.groupdict()
    locale = groups["locale"]
    if locale and locale == pack.locale:
        pack.problems.add(file, f"is in the site's own language; rename it without .{locale}")
        return None
    return FileName(groups["slug"], locale or pack.locale, bool(locale), int(groups.get("position") or 0))
