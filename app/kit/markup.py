"""Markdown to HTML that may stand in a page."""

from collections.abc import Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

_TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "del", "s"),
    *("sub", "sup", "abbr", "cite", "q", "kbd", "mark", "ul", "ol", "li", "dl", "dt", "dd", "a", "img"),
    *("figure", "figcaption", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start", "reversed"},
    "th": {"scope", "colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
}
_CLASSES = {name: {"align-center", "align-right"} for name in ("th", "td")}
_SCHEMES = {"http", "https", "mailto", "tel"}
_ALIGNMENT = {"text-align:center": "align-center", "text-align:right": "align-right"}

_parser = MarkdownIt("commonmark").enable("table")


def render_markdown(text: str) -> str:
    """Sanitised HTML of CommonMark with tables; the same text always gives the same HTML.

    The highest heading becomes h2, the others keep their distance to it. Scripts, styles, event handlers and
    links with other schemes than http, https, mailto and tel are removed.
    """
    tokens = _parser.parse(text)
    _shift_headings(tokens)
    _name_alignment(tokens)
    html = _parser.renderer.render(tokens, _parser.options, {})
    return _cleaner.clean(html).strip()


def _shift_headings(tokens: Sequence[Token]) -> None:
    headings = [token for token in tokens if token.type in {"heading_open", "heading_close"}]
    shift = 2 - min((int(token.tag[1]) for token in headings), default=2)
    for token in headings:
        token.tag = f"h{min(6, int(token.tag[1]) + shift)}"


def _name_alignment(tokens: Sequence[Token]) -> None:
    """A style attribute would be refused by the content security policy."""
    for token in tokens:
        style = token.attrs.pop("style", None)
        if style in _ALIGNMENT:
            token.attrSet("class", _ALIGNMENT[str(style)])


_cleaner = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style", "template", "noscript", "iframe", "object", "svg", "math"},
    attributes=_ATTRIBUTES,
    allowed_classes=_CLASSES,
    url_schemes=_SCHEMES,
    link_rel=None,
)
