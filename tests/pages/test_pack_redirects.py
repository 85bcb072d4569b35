"""redirects.csv: which paths can be redirected, and where to."""

from pathlib import Path

import pytest

from app.packs.folder import PackFolder
from app.packs.parts import Reading
from app.packs.problems import PackError, Problems
from app.pages.pack_redirects import FILE, TAKEN, read_redirects


def refusal(folder: Path, from_path: str, to_path: str = "/there/") -> str:
    """What is said about a file with one redirect, which is its second line; empty when all is well."""
    (folder / "site.toml").touch()
    (folder / FILE).write_text(f'from_path,to_path\n"{from_path}","{to_path}"\n', "utf-8")
    problems = Problems()
    read_redirects(Reading(PackFolder(folder, problems), problems))
    try:
        problems.check()
    except PackError as error:
        return error.detail
    return ""


@pytest.mark.parametrize(
    "path", ["/salt/", "/café/", "/old page.html", "/a.b", "/assetsy/", "/apiary", "/" + "a" * 999]
)
def test_any_path_that_a_page_could_have_can_be_redirected(tmp_path: Path, path: str) -> None:
    assert refusal(tmp_path, path) == ""


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("salt/", "must be a path of this site that starts with a slash"),
        ("//evil.example/", "must be a path of this site that starts with a slash"),
        ("/a\\b", "must be a path of this site that starts with a slash"),
        ("/a ", "must be a path of this site that starts with a slash"),
        ("/a\n", "must be a path of this site that starts with a slash"),
        ("/" + "a" * 1000, "must be a path of this site that starts with a slash, of at most 1,000"),
        ("/?page=3", "must be without ?, # and %"),
        ("/a#b", "must be without ?, # and %"),
        ("/caf%C3%A9/", "must be without ?, # and %"),
        ("/a//b", "is no path that a page can have"),
        ("/x/../y", "is no path that a page can have"),
        ("/x/.", "is no path that a page can have"),
        ("/a\u200bb", "is no path that a page can have"),
        *((path, f"cannot be redirected: something else always answers at {path}") for path in sorted(TAKEN)),
        ("/404.html", "cannot be redirected"),
        ("/robots.txt", "cannot be redirected"),
        ("/assets/site.css", "cannot be redirected"),
        ("/media/shore.webp", "cannot be redirected"),
        ("/sitemap/pages-1.xml", "cannot be redirected"),
        ("/api/v1/site", "cannot be redirected"),
        ("/desk/", "cannot be redirected"),
        ("/widgets/wells/", "cannot be redirected"),
    ],
)
def test_a_path_that_would_never_be_asked_for_is_refused(tmp_path: Path, path: str, why: str) -> None:
    assert refusal(tmp_path, path).startswith(f"{FILE}:2: from_path: {why}")


@pytest.mark.parametrize("path", ["/", "/campaigns/?page=2", "/about/#team", "/caf%C3%A9/"])
def test_it_may_lead_to_any_part_of_a_page(tmp_path: Path, path: str) -> None:
    assert refusal(tmp_path, "/old/", path) == ""


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("https://elsewhere.example/", "must be a path of this site"),
        ("//elsewhere.example/", "must be a path of this site"),
        ("/\\elsewhere.example/", "must be a path of this site"),
        ("/" + "a" * 1000, "must be a path of this site"),
        ("/a\x07", "holds a character that cannot be seen"),
        ("/café/", "leads to itself"),
        ("/caf%C3%A9/?page=2#top", "leads to itself"),
    ],
)
def test_it_leads_to_another_path_of_the_same_site(tmp_path: Path, path: str, why: str) -> None:
    assert refusal(tmp_path, "/café/", path).startswith(f"{FILE}:2: to_path: {why}")
