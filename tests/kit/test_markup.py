"""Markdown that editors write becomes HTML that may stand in a page."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kit.markup import render_markdown

ALLOWED = re.compile(r"<(/?)([a-z0-9]+)((?: [a-z]+=\"[^\"<>]*\")*) ?/?>")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One *two* **three**", "<p>One <em>two</em> <strong>three</strong></p>"),
        ('[a](/b/ "c")', '<p><a href="/b/" title="c">a</a></p>'),
        ("![Reeds](media/a.webp)", '<p><img src="media/a.webp" alt="Reeds"></p>'),
        ("15 °F & <3", "<p>15 °F &amp; &lt;3</p>"),
        ("", ""),
    ],
)
def test_commonmark_is_rendered(text: str, html: str) -> None:
    assert render_markdown(text) == html


def test_tables_are_rendered_with_their_alignment_as_a_class() -> None:
    html = render_markdown("| a | b |\n|:-:|--:|\n| 1 | 2 |\n")
    assert '<th class="align-center">a</th>' in html
    assert '<td class="align-right">2</td>' in html
    assert "style" not in html


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("# A\n\n## B\n", ["h2", "h3"]),
        ("## A\n\n### B\n", ["h2", "h3"]),
        ("### A\n\n##### B\n", ["h2", "h4"]),
        ("# A\n\n###### B\n", ["h2", "h6"]),
        ("A\n===\n\nB\n---\n", ["h2", "h3"]),
    ],
)
def test_the_highest_heading_is_h2(text: str, tags: list[str]) -> None:
    assert re.findall(r"<(h\d)>", render_markdown(text)) == tags


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[a](javascript:alert(1))",
        '<a href="javascript:alert(1)">a</a>',
        '<a href="  java\nscript:alert(1)">a</a>',
        '<a href="data:text/html,x">a</a>',
        "![a](data:image/gif;base64,AAAA)",
        '<img src="data:image/svg+xml,x" alt="a">',
        '<p onclick="alert(1)" style="color:red" class="x" id="y">a</p>',
        '<iframe src="https://x.example"></iframe>',
        "<svg><script>alert(1)</script></svg>",
        "<style>p{}</style>",
        "<form action=/x><input></form>",
        "<h1>a</h1>",
        '<base href="//x">',
    ],
)
def test_what_may_do_harm_is_removed(text: str) -> None:
    html = render_markdown(text)
    for tag in ALLOWED.finditer(html):
        assert tag[2] in {"p", "a", "img"}
        assert not re.search(r"script:|data:|on\w+=|style=|class=|id=", tag[3])
    assert "<" not in ALLOWED.sub("", html)
    assert "alert(1)</script" not in html


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("<>\"'=&/ax#*[]()!\n `|-:onclickscriptjava")))
def test_whatever_is_written_only_known_tags_and_attributes_come_out_and_always_the_same(text: str) -> None:
    html = render_markdown(text)
    assert "<" not in ALLOWED.sub("", html)
    assert not re.search(r"<[^>]* on\w+=", html)
    assert render_markdown(text) == html
