"""What our compiler makes of a template is what stock Jinja2 makes of it."""

from pathlib import Path
from typing import Any

import jinja2
import msgspec
import pytest
from markupsafe import Markup

from app.publishing import compiling
from app.publishing.kinds import SiteFacts
from app.publishing.render import Recipe
from app.publishing.templating import FRAGMENTS, Shared, make_environment, template_digests
from app.sites.published import SharedAssets
from app.sites.schemas import NavigationItem
from app.wiring import page_kinds, read_css
from tests.browser.samples import HOME, PAGES, SHELL, TEMPLATES, replace

SPECIAL = "<a href='x'>\"Salt\" & water</a>"
HOSTILE = replace(
    SHELL,
    name=SPECIAL,
    footer_text=SPECIAL,
    navigation=(
        NavigationItem(label="Home", url="/"),
        NavigationItem(label=SPECIAL, url="/campaigns/"),
        NavigationItem(label="Deep", url="/campaigns/open/"),
        NavigationItem(label="Away", url="https://other.example/?a=1&b=2"),
    ),
)


class Thing(msgspec.Struct, frozen=True):
    title: str = SPECIAL
    html: Markup = Markup("<b>bold</b>")
    count: int = 3
    none: None = None
    names: tuple[str, ...] = ("a<", "b&", "c")

    def shout(self, word: str, *, times: int = 1) -> str:
        return word.upper() * times


ODD = {
    "specials": "{{ page.title }}|{{ page.html }}|{{ page.count }}|{{ page.none }}|{{ 1.5 }}|{{ true }}",
    "concat": "{{ page.title ~ page.html }}|{{ page.html ~ page.title }}|{{ page.title + '<' }}",
    "attribute": "<i title='{{ page.title }}' data-x=\"{{ page.names[0] }}\">",
    "methods": "{{ page.shout('a<b') }}|{{ page.shout('x', times=2) }}|{{ page.title.startswith('<') }}",
    "stars": "{{ page.shout(*['a'], **{'times': 3}) }}",
    "filters": "{{ page.title | upper }}|{{ page.names | join('<') }}|{{ page.html | e }}|{{ '<' | safe }}",
    "loops": (
        "{% for name in page.names %}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.length }}"
        "{{ loop.cycle('<', '>') }}{{ name }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %}"
    ),
    "recursive": "{% for n in [[1, [2]], 3] recursive %}{{ loop(n) if n is iterable else n }}{% endfor %}",
    "namespace": (
        "{% set ns = namespace(n=0) %}"
        "{% for x in page.names %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}"
    ),
    "macro": (
        "{% macro field(name, value='<d>', kind='text') %}[{{ name }}|{{ value }}|{{ kind }}|{{ varargs }}"
        "|{{ kwargs }}]{% endmacro %}{{ field(page.title) }}{{ field('a', 'b', 'c', 'd', e='f') }}"
    ),
    "caller": (
        "{% macro box(title) %}<div>{{ title }}{{ caller('<in>') }}</div>{% endmacro %}"
        "{% call(x) box(page.title) %}{{ x }}{{ page.html }}{% endcall %}"
    ),
    "nested": (
        "{% macro a(x) %}({{ x }}){% endmacro %}"
        "{% macro b(x) %}{{ a(x) }}{{ a(a(x)) }}{% endmacro %}{{ b(page.title) }}"
    ),
    "block": "{% block head %}{{ page.title }}{% endblock %}|{{ self.head() }}|{{ self.head() | upper }}",
    "child": "{% extends 'parent.html' %}{% block main %}{{ super() }}+{{ page.title }}{% endblock %}",
    "imported": "{% import 'macros.html' as m %}{{ m.link(page.title) }}{{ m.link('x', url='/?a&b') }}",
    "imported_names": "{% from 'macros.html' import link as l %}{{ l(page.title) }}",
    "included": "{% include 'part.html' %}",
    "translated": "{{ _('Salt & water <ok>') }}|{{ gettext('x') }}|{% trans %}A & b 100%{% endtrans %}",
    "translated_with": "{% trans name=page.title %}by {{ name }} <i>{% endtrans %}|{{ _(page.title) }}",
    "counted": "{% trans count=page.count %}one{% pluralize %}{{ count }} <many>{% endtrans %}",
    "set_block": "{% set x %}<u>{{ page.title }}</u>{% endset %}{{ x }}|{{ x | length }}",
    "unescaped": "{% autoescape false %}{{ page.title }}{{ page.html }}{% endautoescape %}",
    "conditional": "{{ page.title if page.count > 2 else '-' }}|{{ page.none or '<none>' }}",
    "raw": "{% raw %}{{ page.title }}{% endraw %}|{{ '<' }}",
}
PARTS = {
    "parent": "<h1>{% block main %}{{ page.title }}{% endblock %}</h1>",
    "macros": "{% macro link(label, url='/<') %}<a href=\"{{ url }}\">{{ label }}</a>{% endmacro %}",
    "part": "{{ page.title }}{{ page.count }}",
}
FAILING = {
    "attribute": "{{ page.nothing }}",
    "name": "{{ nothing }}",
    "attribute_of_a_name": "{{ nothing.more }}",
    "method": "{{ page.nothing() }}",
    "undefined_in_a_loop": "{% for x in page.nothing %}{% endfor %}",
    "argument": "{% macro a(x) %}{{ x }}{% endmacro %}{{ a() }}",
}


def stock(folder: Path) -> jinja2.Environment:
    """The same settings and filters over the original compiler."""
    ours = make_environment(folder)
    made = jinja2.Environment(
        loader=ours.loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_null_translations(newstyle=False)  # type: ignore[attr-defined]
    made.filters.update(ours.filters)
    return made


OURS, THEIRS = make_environment(TEMPLATES), stock(TEMPLATES)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[jinja2.Environment, jinja2.Environment]:
    folder = tmp_path_factory.mktemp("odd")
    for name, source in (ODD | PARTS).items():
        (folder / f"{name}.html").write_text(source)
    return make_environment(folder), stock(folder)


def rendered(environment: jinja2.Environment, name: str, **given: Any) -> str:
    return environment.get_template(f"{name}.html").render(**given)


@pytest.mark.parametrize("name", ODD)
def test_odd_templates_look_as_stock_makes_them(
    both: tuple[jinja2.Environment, jinja2.Environment], name: str
) -> None:
    ours, theirs = both
    expected = rendered(theirs, name, page=Thing())
    assert expected
    assert rendered(ours, name, page=Thing()) == expected


@pytest.mark.parametrize("name", FAILING)
def test_what_stock_refuses_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "page.html").write_text(FAILING[name])
    for environment in (stock(tmp_path), make_environment(tmp_path)):
        with pytest.raises((jinja2.UndefinedError, AttributeError)):
            rendered(environment, "page", page=Thing())


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("site", [SHELL, HOSTILE], ids=["plain", "hostile"])
def test_every_page_looks_as_stock_makes_it(path: str, site: Any) -> None:
    texts = []
    name, page = PAGES[path]
    for environment in (OURS, THEIRS):
        shared = Shared(environment, site)
        texts.append(rendered(environment, f"site/{name}", page=page, site=site, path=path, shared=shared))
    assert texts[0] == texts[1]
    assert SPECIAL not in texts[0]


def test_control_a_compiler_that_does_not_escape_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling.DirectEnvironment, "text", staticmethod(str))
    page = {"page": HOME, "site": HOSTILE, "path": "/"}
    environment = make_environment(TEMPLATES)
    unsafe = rendered(environment, "site/home", **page, shared=Shared(environment, HOSTILE))
    assert SPECIAL in unsafe
    assert unsafe != rendered(THEIRS, "site/home", **page, shared=Shared(THEIRS, HOSTILE))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/campaigns/",
        "/campaigns/open/",
        "/campaigns/closed/",
        "/campaigns/page/2/",
        "/404.html",
        "/about/",
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_header_marks_where_the_reader_is(path: str, *, reverse: bool) -> None:
    """Whatever page was made before: the text that is kept belongs to no other place."""
    shared = Shared(OURS, HOSTILE)
    others = ["/", "/campaigns/", "/campaigns/open/", "/campaigns/new/", "/gone/"]
    for other in reversed(others) if reverse else others:
        shared.header(other)
    fresh = OURS.get_template(FRAGMENTS["header"]).render(site=HOSTILE, path=path).strip()
    assert shared.header(path) == fresh
    marks = {"/": 'href="/" aria-current="page"', "/campaigns/": 'href="/campaigns/" aria-current="page"'}
    inside = 'href="/campaigns/" aria-current="true"'
    expected = marks.get(path, inside if path in {"/campaigns/closed/", "/campaigns/page/2/"} else "")
    assert expected in fresh
    if path in {"/404.html", "/about/"}:
        assert "aria-current" not in fresh


def test_pages_of_one_place_share_one_text() -> None:
    shared = Shared(OURS, HOSTILE)
    assert shared.header("/campaigns/a/") is shared.header("/campaigns/b/")
    assert shared.header("/campaigns/a/") is not shared.header("/campaigns/")
    assert shared.footer() is shared.footer()


@pytest.mark.parametrize("fragment", FRAGMENTS.values())
def test_the_fragments_are_part_of_the_fingerprint_of_every_page(fragment: str) -> None:
    kinds = page_kinds(SharedAssets(read_css(TEMPLATES)))
    kind = kinds.named("home")
    digests = template_digests(OURS)
    changed = digests | {fragment: "another"}
    facts = SiteFacts(slug="demo", hosts=(), base_url="https://demo.example", shell=SHELL)
    before, after = (Recipe(OURS, some, facts, "program") for some in (digests, changed))
    assert before.fingerprint(kind, HOME) != after.fingerprint(kind, HOME)
    assert before.digest(kinds.all) != after.digest(kinds.all)
