"""The examination of one page: each fault that it finds, and none in a page that is right."""

import pytest

from app.publishing.checks import Frame, PageFacts, examine
from app.publishing.links import Fragment, sources_of, target_of

BASE = "https://demo.example"
FRAME = Frame(BASE, frozenset({"/", "/assets/site.css"}))
HTML = "text/html; charset=utf-8"
PAGE = """<!doctype html>
<html lang="en">
<head><title>Wells</title><link rel="stylesheet" href="/assets/site.css"></head>
<body>
<header><a href="#main">Skip</a><a href="/"><img src="/icon.svg" alt="" aria-hidden="true">Home</a></header>
<main id="main"><h1>Our wells</h1>
<p class="trail"><a href="/campaigns/">Campaigns</a></p>
<div class="prose"><p>Read <a href="/wells/?a=1#b">this</a></p></div>
<img src="/media/a.webp" alt="A well">
</main>
</body>
</html>
"""


def facts(page: str = PAGE, path: str = "/campaigns/wells/") -> PageFacts:
    found = examine(path, page.encode(), HTML, FRAME)
    assert found is not None
    return found


def test_a_page_that_is_right_has_links_and_no_faults() -> None:
    assert facts() == PageFacts(
        links=("/campaigns/", "/icon.svg", "/media/a.webp", "/wells/"), shown=("/campaigns/",)
    )


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("<!doctype html>\n", "", "does not begin with a doctype"),
        ("</html>", "", "does not end with </html>"),
        ("</html>\n", "</html>\nTraceback", "does not end with </html>"),
        ("<title>Wells</title>", "", "has no title"),
        ("<title>Wells</title>", "<title> </title><p><svg><title>a</title></svg>", "has no title"),
        ("<h1>Our wells</h1>", "<h2>Our wells</h2>", "has 0 headings h1"),
        ("<h1>Our wells</h1>", "<h1>Our</h1><h1>wells</h1>", "has 2 headings h1"),
        ("<h1>Our wells</h1>", "<h1> </h1>", "has an empty heading h1"),
        ('<main id="main">', '<div id="main">', "has 0 elements main"),
        (' alt="A well"', "", "has a picture without an alt text: /media/a.webp"),
        (' alt="A well"', ' alt=""', "has a picture with an empty alt text that is no decoration"),
    ],
)
def test_each_fault_is_told(right: str, wrong: str, said: str) -> None:
    assert right in PAGE
    found = facts(PAGE.replace(right, wrong)).errors
    assert [error for error in found if error.startswith(said)] == list(found) != []


def test_a_main_in_which_nothing_can_be_read_is_empty() -> None:
    start, end = PAGE.index('<main id="main">') + 16, PAGE.index("</main>")
    picture = '\n<img src="/a.webp" alt="A">&nbsp;\n<h1><span> </span></h1>'
    found = facts(PAGE[:start] + picture + PAGE[end:])
    assert "is empty: nothing can be read in its main." in found.errors


def test_a_place_that_is_not_on_the_page_is_a_warning() -> None:
    page = PAGE.replace("<p class", "<a href='#wells'>a</a><b id=plain></b><a href='#plain'>b</a><p class")
    assert facts(page).warnings == ("links to #wells, which is not on the page.",)
    assert facts(page).errors == ()


@pytest.mark.parametrize(
    "written",
    [
        '<div class="prose"><a href="/x/">x</a></div>',
        '<figure><figcaption><a href="/x/">x</a></figcaption></figure>',
        '<blockquote><p><a href="/x/">x</a></p></blockquote>',
        '<section class="section call"><a class="button" href="/x/">x</a></section>',
    ],
)
def test_what_editors_link_to_is_not_taken_for_a_list(written: str) -> None:
    found = facts(PAGE.replace("<p class", written + "<p class"))
    assert "/x/" in found.links
    assert "/x/" not in found.shown
    listed = facts(PAGE.replace("<p class", written + '<h2><a href="/x/">X</a></h2><p class'))
    assert "/x/" in listed.shown


def test_the_page_for_unknown_addresses_tells_the_links_of_the_shell() -> None:
    assert {"/", "/assets/site.css"} <= set(facts(path="/404.html").links)


def test_whatever_a_page_loads_has_to_be_there() -> None:
    more = (
        '<picture><source srcset="/a-1.webp 1x, /a-2.webp 2x"><img src="/a.webp" alt="A"></picture>'
        '<script src="/a.js"></script><link rel="next" href="/next/">'
    )
    found = facts(PAGE.replace("<p class", more + "<p class"))
    assert {"/a-1.webp", "/a-2.webp", "/a.webp", "/a.js", "/next/"} <= set(found.links)
    assert found.shown == ("/campaigns/",)


def test_a_sitemap_shows_what_it_names() -> None:
    text = f"<urlset><url><loc>{BASE}/a&amp;b/</loc></url><url><loc>https://o.example/</loc></url></urlset>"
    found = examine("/sitemap.xml", text.encode(), "application/xml; charset=utf-8", FRAME)
    assert found == PageFacts(shown=("/a&b/",))
    assert examine("/a.svg", b"<svg/>", "image/svg+xml", FRAME) is None


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("/a/", "/a/"),
        (" /a/\n", "/a/"),
        ("/a/?b=/c/#d", "/a/"),
        ("/caf%C3%A9/", "/café/"),
        ("/a%2520/", "/a%20/"),
        ("../b/", "/campaigns/b/"),
        ("b/", "/campaigns/wells/b/"),
        ("?b", "/campaigns/wells/"),
        ("", "/campaigns/wells/"),
        ("/a/../b/", "/b/"),
        (BASE, "/"),
        (BASE + "/a/", "/a/"),
        ("HTTPS://demo.example/a/", "/a/"),
        (BASE + "?a", "/"),
        ("//demo.example/a/", "/a/"),
        ("https://demo.example.org/a/", None),
        ("https://other.example/a/", None),
        ("//other.example/a/", None),
        ("mailto:a@example.org", None),
        ("tel:+1", None),
        ("data:image/png;base64,AA", None),
        ("#a", Fragment("a")),
        ("#caf%C3%A9", Fragment("café")),
    ],
)
def test_a_link_leads_to_one_path_of_the_site(link: str, target: str | None) -> None:
    found = target_of(link, "/campaigns/wells/", BASE)
    assert (found, type(found)) == (target, type(target))


def test_the_sources_of_a_srcset() -> None:
    assert sources_of("/a.webp 480w, /b,c.webp 960w") == ["/a.webp", "/b,c.webp"]
    assert sources_of("/a.webp") == ["/a.webp"]
    assert sources_of("") == []
