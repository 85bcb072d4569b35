"""The environment of the templates: filters, strictness, and digests that follow every include."""

from datetime import UTC, date, datetime
from pathlib import Path

import jinja2
import pytest

from app.publishing.templating import (
    canonical,
    day,
    direction,
    iso,
    lines,
    make_environment,
    moment,
    number,
    short_day,
    split_first,
    template_digests,
)

TEMPLATES = Path(__file__).parents[2] / "templates"
AFTERNOON = datetime(2026, 11, 21, 19, 2, 30, tzinfo=UTC)


def write(folder: Path, **templates: str) -> jinja2.Environment:
    for name, source in templates.items():
        (folder / f"{name}.html").write_text(source, encoding="utf-8")
    return make_environment(folder)


@pytest.mark.parametrize(
    ("locale", "shown"), [("en", "5,214"), ("de", "5.214"), ("en-US", "5,214"), ("pt_BR", "5.214")]
)
def test_numbers_are_grouped_as_the_language_does(locale: str, shown: str) -> None:
    assert number(5214, locale) == shown


def test_days_are_whole_dates_that_no_reader_can_misread() -> None:
    when = date(2026, 3, 4)
    assert day(when, "en") == "4 March 2026"
    assert day(when, "de") == "4. März 2026"
    assert short_day(when, "en") == "4 Mar 2026"


@pytest.mark.parametrize(
    ("timezone", "shown"),
    [
        ("America/New_York", "21 November 2026, 14:02"),
        ("Asia/Tokyo", "22 November 2026, 04:02"),
        ("UTC", "21 November 2026, 19:02"),
    ],
)
def test_moments_are_written_in_the_time_zone_of_the_site(timezone: str, shown: str) -> None:
    assert moment(AFTERNOON, "en", timezone) == shown


def test_a_machine_reads_the_same_moment_with_its_offset() -> None:
    assert iso(AFTERNOON, "America/New_York") == "2026-11-21T14:02:30-05:00"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        moment(AFTERNOON.replace(tzinfo=None), "en", "UTC")


def test_canonical_links_are_whole_and_escaped() -> None:
    assert canonical("/campaigns/a-b/", "https://x.example") == "https://x.example/campaigns/a-b/"
    assert canonical("/ä b/", "https://x.example") == "https://x.example/%C3%A4%20b/"


def test_line_breaks_are_kept_and_everything_else_is_escaped() -> None:
    assert lines("  One <b>\n two & three\n") == "One &lt;b&gt;<br>two &amp; three"


def test_the_direction_follows_the_language() -> None:
    assert (direction("en"), direction("ar"), direction("he-IL")) == ("ltr", "rtl", "rtl")


def test_a_text_is_split_at_the_first_mark_only() -> None:
    assert split_first("Ada, miller, Marlow", ",") == ("Ada", "miller, Marlow")
    assert split_first("Ada", ",") == ("Ada", "")


def test_a_name_that_is_not_there_stops_the_page(tmp_path: Path) -> None:
    template = write(tmp_path, page="{{ page.titel }}").get_template("page.html")
    with pytest.raises(AttributeError, match="titel"):
        template.render(page=object())


def test_text_is_escaped_also_inside_translated_sentences(tmp_path: Path) -> None:
    environment = write(tmp_path, page="{{ text }}|{% trans name=text %}by {{ name }}{% endtrans %}")
    shown = environment.get_template("page.html").render(text="<script>")
    assert shown == "&lt;script&gt;|by &lt;script&gt;"


def test_a_digest_changes_with_everything_a_template_is_made_of(tmp_path: Path) -> None:
    made = {
        "base": "{% include 'foot.html' %}{% block main %}{% endblock %}",
        "foot": "foot",
        "parts": "{% macro a() %}1{% endmacro %}",
        "page": "{% extends 'base.html' %}{% import 'parts.html' as p %}",
        "alone": "alone",
    }
    before = template_digests(write(tmp_path, **made))
    for changed in ("base", "foot", "parts", "page"):
        after = template_digests(write(tmp_path, **{**made, changed: made[changed] + " "}))
        assert after["page.html"] != before["page.html"], changed
        assert after["alone.html"] == before["alone.html"], changed


def test_a_circle_of_imports_still_has_a_digest(tmp_path: Path) -> None:
    environment = write(tmp_path, one="{% include 'two.html' %}", two="{% include 'one.html' %}")
    digests = template_digests(environment)
    assert digests["one.html"] == digests["two.html"]


def test_a_template_named_by_a_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"page\.html names a template by a variable"):
        template_digests(write(tmp_path, page="{% include name %}"))


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(jinja2.TemplateNotFound, match=r"gone\.html"):
        template_digests(write(tmp_path, page="{% include 'gone.html' %}"))


def test_digests_are_the_same_in_every_process() -> None:
    first, second = (template_digests(make_environment(TEMPLATES)) for _ in range(2))
    assert first == second
    assert {f"site/{name}.html" for name in ("home", "campaigns", "campaign", "404", "410")} <= set(first)
