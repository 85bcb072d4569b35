"""Every look of every public page: its markup, and what a browser makes of it."""

import re
from functools import cache
from itertools import pairwise
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, ViewportSize
from selectolax.lexbor import LexborHTMLParser

from tests.browser.samples import HOME, OPEN, PAGES, SHELL, files

Scheme = Literal["light", "dark"]
ORIGIN = "https://demo.example"
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'"
PATHS = sorted(PAGES)


@cache
def served() -> dict[str, tuple[str, str]]:
    return {path: (content_type, text) for path, content_type, text in files()}


def html(path: str) -> LexborHTMLParser:
    return LexborHTMLParser(served()[path][1])


def answer(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN)
    if path not in served():
        route.fulfill(status=404)
        return
    content_type, text = served()[path]
    route.fulfill(body=text, content_type=content_type, headers={"Content-Security-Policy": POLICY})


def visit(browser: Browser, path: str, width: int, scheme: Scheme) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport=ViewportSize(width=width, height=900), color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.route("**/*", answer)
    page.goto(ORIGIN + path)
    return page, said


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_and_never_wider_than_the_window(
    browser: Browser, path: str, width: int, scheme: Scheme
) -> None:
    page, said = visit(browser, path, width, scheme)
    result: Any = Axe().run(page)
    assert [(found["id"], found["nodes"][0]["html"]) for found in result.response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    page.close()


def test_the_checks_find_a_page_that_breaks_them(browser: Browser) -> None:
    """Control: a picture without a text, text too pale, a box too wide and an inline style."""
    page, said = visit(browser, "/", 320, "light")
    page.set_content(
        "<html lang=en><title>x</title><main><h1 style='color:#eee'>x</h1><img src=/assets/icon.svg>"
        "<div><table><tr><td>" + "w" * 200 + "</table></div></main>"
    )
    result: Any = Axe().run(page)
    assert "image-alt" in {found["id"] for found in result.response["violations"]}
    assert page.evaluate("document.documentElement.scrollWidth") > 320
    assert any("Content Security Policy" in text for text in said)
    page.close()


def test_the_menu_opens_by_keyboard_below_60rem_without_script(browser: Browser) -> None:
    page, _ = visit(browser, "/", 360, "light")
    link = page.locator("header details a", has_text="Campaigns")
    assert not link.is_visible()
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    assert link.is_visible()
    page.close()


def test_the_first_stop_of_the_tab_key_skips_to_the_text(browser: Browser) -> None:
    page, _ = visit(browser, "/", 1280, "light")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the text"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


def test_links_and_buttons_outside_of_running_text_are_44_pixels_high(browser: Browser) -> None:
    page, _ = visit(browser, "/", 360, "light")
    low = page.evaluate(
        """[...document.querySelectorAll('a, summary')]
        .filter(e => !e.closest('.prose, .row') && e.offsetParent && !e.classList.contains('skip'))
        .filter(e => e.getBoundingClientRect().height < 43.9).map(e => e.textContent)"""
    )
    assert low == []
    page.close()


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_one_h1_and_skips_no_level(path: str) -> None:
    levels = [int(node.tag[1]) for node in html(path).css("h1, h2, h3, h4, h5, h6") if node.tag]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_inline_code_and_asks_no_other_origin(path: str) -> None:
    tree = html(path)
    assert tree.css("script, style, iframe, [style]") == []
    assert not re.search(r"\son\w+=", served()[path][1])
    for node in tree.css("[src], link[href]"):
        url = node.attributes.get("src") or node.attributes.get("href") or ""
        assert url.startswith(("/", SHELL.base_url)), url


@pytest.mark.parametrize("path", PATHS)
def test_every_picture_says_its_size_and_its_text(path: str) -> None:
    for node in html(path).css("img"):
        assert {"alt", "width", "height"} <= set(node.attributes)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/", "One river, eleven towns, Larkspur River Alliance"),
        ("/holding/", "Larkspur River Alliance"),
        ("/campaigns/", "Campaigns, Larkspur River Alliance"),
        ("/campaigns/page/1/", "Campaigns, page 1, Larkspur River Alliance"),
        ("/campaigns/open/", "Keep salt out of our wells, Larkspur River Alliance"),
        ("/404.html", "This page is not here, Larkspur River Alliance"),
    ],
)
def test_titles_name_the_page_before_the_site(path: str, title: str) -> None:
    node = html(path).css_first("title")
    assert node is not None
    assert node.text() == title


def test_the_head_names_the_canonical_address_and_both_theme_colours() -> None:
    tree = html("/campaigns/open/")
    assert [node.attributes["href"] for node in tree.css("link[rel=canonical]")] == [
        "https://demo.example/campaigns/open/"
    ]
    assert [node.attributes["content"] for node in tree.css("meta[name=theme-color]")] == [
        "#ffffff",
        "#0b1417",
    ]
    description = tree.css_first("meta[name=description]")
    assert description is not None
    assert description.attributes["content"] == OPEN.summary
    assert html("/404.html").css("link[rel=canonical]") == []


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("/campaigns/", [("Campaigns", "page")]),
        ("/campaigns/open/", [("Road salt", "page")]),
        ("/campaigns/won/", [("Campaigns", "true")]),
        ("/gone/", []),
    ],
)
def test_navigation_marks_where_the_reader_is(path: str, marked: list[tuple[str, str]]) -> None:
    links = html(path).css(".site-nav > ul a[aria-current]")
    assert [(link.text(), link.attributes["aria-current"]) for link in links] == marked


def test_times_are_whole_and_in_the_time_zone_of_the_site() -> None:
    text = html("/campaigns/open/").css_first(".standing-since")
    assert text is not None
    assert text.text() == (
        "endorsements, as of 21 November 2026, 14:00. At 6,000 the county council must put it on its agenda."
    )


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("/campaigns/open/", "Open until 26 February 2027"),
        ("/campaigns/won/", "Won"),
        ("/campaigns/closed/", "Closed"),
        ("/campaigns/new/", "Open"),
    ],
)
def test_a_campaign_says_its_state_in_words(path: str, state: str) -> None:
    node = html(path).css_first(".campaign-head .state")
    assert node is not None
    assert node.text(strip=True) == state


def test_the_404_page_lists_campaigns_without_counts_that_would_change_it() -> None:
    assert len(html("/404.html").css(".row")) == 3
    assert html("/404.html").css(".row-count") == []
    assert len(html("/campaigns/").css(".row-count")) == 3


def test_a_statement_keeps_its_lines_and_loses_its_markup() -> None:
    node = html("/campaigns/open/").css_first(".endorser-list blockquote")
    assert node is not None
    assert node.html == "<blockquote>Two<br>lines &amp; &lt;b&gt;no markup&lt;/b&gt;.</blockquote>"


def test_the_home_page_keeps_the_line_break_of_its_title() -> None:
    node = html("/").css_first("h1")
    assert node is not None
    assert node.html == "<h1>" + HOME.hero_title.replace("\n", "<br>") + "</h1>"


def test_a_page_that_reads_from_the_right_is_mirrored(browser: Browser) -> None:
    page, _ = visit(browser, "/campaigns/open/", 1280, "light")
    side = "document.querySelector('.standing').getBoundingClientRect().left"
    assert page.evaluate(side) > 640
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.evaluate(side) < 640
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.close()
