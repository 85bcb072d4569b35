"""The examination of one page: what is wrong with it, and where it links to.

A function of the path, the bytes and what the site's pages share, so that any process may do it right where
the page was rendered. What needs the whole release is for `judge`.
"""

import re
from collections.abc import Iterator, Mapping
from html import unescape

import msgspec
from selectolax.lexbor import LexborHTMLParser

from app.publishing.links import Fragment, sources_of, target_of
from app.publishing.manifest import NOT_FOUND_PATH

VERSION = 1
"""Part of every fingerprint: a page that was examined in another way is made and examined anew."""

WRITTEN = ".prose a[href], figcaption a[href], blockquote a[href], .call a[href]"
"""Links of editors, who may link to what they like: all others are made by a template from a row."""

Attributes = Mapping[str, str | None]

_LOCATION = re.compile(r"<loc>([^<]+)</loc>")
_UNUSUAL = re.compile(r"[&%?#]|/\.")
_ATOM = re.compile(r'<link\b[^>]*\bhref="([^"]+)"')


# glibc hands memory that is freed back to the system, and every parse would have to fault it in anew: half of
# its time. A block of this size, freed once, makes it keep up to twice as much.
bytearray(4 << 20)


class Frame(msgspec.Struct, frozen=True):
    """What every page of a site shares."""

    base_url: str
    links: frozenset[str]
    """Paths that the shell links to. They stand in the entry of the 404 page and in no other."""


class PageFacts(msgspec.Struct, frozen=True, gc=False):
    """What the whole release has to know of one page."""

    links: tuple[str, ...] = ()
    """Sorted paths of the site that the page needs or leads to, without its own and the frame's."""
    shown: tuple[str, ...] = ()
    """Those of them that a template made a link to: rows of a list, not the words of an editor."""
    errors: tuple[str, ...] = ()
    """Each goes on after the path: /campaigns/x/ has no title."""
    warnings: tuple[str, ...] = ()


def examine(path: str, body: bytes, content_type: str, frame: Frame) -> PageFacts | None:
    """None for what is neither a page nor a feed."""
    if content_type.startswith("text/html"):
        return _examine_page(path, body, frame)
    if content_type.startswith("application/") and "xml" in content_type:
        return _examine_feed(path, body.decode(), frame)
    return None


def _examine_page(path: str, body: bytes, frame: Frame) -> PageFacts:
    tree = LexborHTMLParser(body)
    own = {path} if path == NOT_FOUND_PATH else {path, *frame.links}
    linked: set[str] = set()
    anchors: list[tuple[str, int]] = []
    errors: list[str] = []
    warnings: list[str] = []
    for node in tree.css("[href], [src], [srcset]"):
        attributes = node.attributes
        if node.tag == "img":
            errors += _picture(attributes)
        for link in _links(attributes):
            target = target_of(link, path, frame.base_url)
            if target is None or target in own:
                continue
            if isinstance(target, Fragment):
                if not _has_id(tree, body, target):
                    warnings.append(f"links to #{target}, which is not on the page.")
                continue
            linked.add(target)
            if node.tag == "a":
                anchors.append((target, node.mem_id))
    written = {node.mem_id for node in tree.css(WRITTEN)} if anchors else set()
    return PageFacts(
        links=tuple(sorted(linked)),
        shown=tuple(sorted({target for target, node in anchors if node not in written})),
        errors=(*_shape(tree, body), *errors),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _shape(tree: LexborHTMLParser, body: bytes) -> Iterator[str]:
    """What every page has to be."""
    if body[:100].lstrip()[:9].lower() != b"<!doctype":
        yield "does not begin with a doctype."
    if not body.rstrip().endswith(b"</html>"):
        yield "does not end with </html>: it is cut off, or something follows it."
    titles = [node for node in tree.tags("title") if node.parent is not None and node.parent.tag == "head"]
    if not titles or not titles[0].text(strip=True):
        yield "has no title."
    headings = tree.tags("h1")
    if len(headings) != 1:
        yield f"has {len(headings)} headings h1; a page has exactly one."
    elif not headings[0].text(strip=True):
        yield "has an empty heading h1."
    mains = tree.tags("main")
    if len(mains) != 1:
        yield f"has {len(mains)} elements main; a page has exactly one."
    elif not any(node.text(deep=False, strip=True) for node in mains[0].traverse(include_text=True)):
        yield "is empty: nothing can be read in its main."


def _picture(attributes: Attributes) -> Iterator[str]:
    """A picture that says nothing has to be marked as decoration."""
    if "alt" not in attributes:
        yield f"has a picture without an alt text: {attributes.get('src')}."
    elif not attributes["alt"] and attributes.get("aria-hidden") != "true":
        yield f"has a picture with an empty alt text that is no decoration: {attributes.get('src')}."


def _links(attributes: Attributes) -> Iterator[str]:
    for name in ("href", "src"):
        link = attributes.get(name)
        if link:
            yield link
    srcset = attributes.get("srcset")
    if srcset:
        yield from sources_of(srcset)


def _has_id(tree: LexborHTMLParser, body: bytes, fragment: str) -> bool:
    """Ours are written with double quotes, and found without a walk through the tree."""
    if fragment in {"", "top"} or f' id="{fragment}"'.encode() in body:
        return True
    return any(node.attrs.get("id") == fragment for node in tree.css("[id]"))


def _examine_feed(path: str, text: str, frame: Frame) -> PageFacts:
    """A sitemap or a feed: what it names is shown, as in a list. It may be a thousand pages."""
    shown: set[str] = set()
    start = len(frame.base_url)
    for link in (*_LOCATION.findall(text), *_ATOM.findall(text)):
        if link.startswith(frame.base_url) and link[start : start + 1] == "/" and not _UNUSUAL.search(link):
            shown.add(link[start:])
            continue
        target = target_of(unescape(link), path, frame.base_url)
        if target is not None and not isinstance(target, Fragment):
            shown.add(target)
    return PageFacts(shown=tuple(sorted(shown - {path})))
