"""From what stands in a link to a path of the site. Pure."""

import re
from functools import lru_cache
from urllib.parse import unquote, urljoin

_ELSEWHERE = re.compile(r"//|[a-zA-Z][a-zA-Z0-9+.-]*:")
_TAIL = re.compile(r"[?#]")
_SPACES = " \t\n\r\f"
_RELATIVE = "."


class Fragment(str):
    """A place on the same page, by its id; empty for its top."""

    __slots__ = ()


def target_of(link: str, path: str, base_url: str) -> str | None:
    """The path that a link on the page at `path` leads to, decoded once as the manifest has it.

    A Fragment for a place on the same page, None for what is not on this site.
    """
    found = _fixed(link, base_url)
    return _plain(urljoin(path, link.strip(_SPACES))) if found is _RELATIVE else found


@lru_cache(maxsize=4096)
def _fixed(link: str, base_url: str) -> str | None:
    """For links that mean the same on every page: nearly all, and few different ones."""
    link = link.strip(_SPACES)
    if link.startswith("#"):
        return Fragment(unquote(link[1:]))
    if _ELSEWHERE.match(link):
        inside = _inside(link, base_url)
        if inside is None:
            return None
        link = inside
    if not link.startswith("/"):
        return _RELATIVE
    return _plain(urljoin("/", link) if "/." in link else link)


def _plain(link: str) -> str:
    cut = _TAIL.search(link)
    if cut:
        link = link[: cut.start()]
    return unquote(link) if "%" in link else link


def _inside(link: str, base_url: str) -> str | None:
    """Root-relative, if it is an address of the site itself."""
    if link.startswith("//"):
        link = base_url.partition(":")[0] + ":" + link
    rest = link[len(base_url) :]
    if link[: len(base_url)].lower() != base_url.lower() or rest[:1] not in {"", "/", "?", "#"}:
        return None
    return rest if rest.startswith("/") else "/" + rest


def sources_of(srcset: str) -> list[str]:
    """The addresses of a `srcset`. One may hold commas; each has a width or a density behind it."""
    return [found.group(1) for found in re.finditer(r"\s*(\S*[^\s,])(?:\s[^,]*)?(?:,|$)", srcset)]
