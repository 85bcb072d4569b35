"""The whole product as a visitor meets it: `hustings up`, the demo, a real browser."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize

from app.database.cluster import remove_cluster
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
PATHS = [
    "/",
    "/campaigns/",
    "/campaigns/a-living-shore/",
    "/campaigns/mend-the-pumps-at-hazel-ford/",
    "/campaigns/road-salt-out-of-our-wells/",
    "/nowhere/",
]
Scheme = Literal["light", "dark"]


class Product:
    """A running `hustings up`."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def hustings(self, *arguments: str) -> str:
        """The standard output of a command over the same data folder, while `up` runs."""
        command = [sys.executable, "-m", "app.cli", *arguments, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, path: str) -> tuple[str, str]:
        """The number of the release, and the body."""
        answer = httpx.get(self.url(path), timeout=20)
        return answer.headers["Hustings-Release"], answer.text


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    data, port = tmp_path_factory.mktemp("product"), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUSTINGS_")}
    command = [sys.executable, "-m", "app.cli", "up", "--data", str(data), "--port", str(port)]
    with (data / "up.log").open("wb") as log:
        up = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True, cwd=ROOT
        )
    assert up.stdout is not None
    assert up.stdout.readline() == f"ready http://127.0.0.1:{port}/\n", (data / "up.log").read_text()
    yield Product(data, port)
    up.send_signal(signal.SIGTERM)
    assert up.wait(60) == 0
    up.stdout.close()
    remove_cluster(data)


def visit(browser: Browser, url: str, width: int, scheme: Scheme, **options: Any) -> tuple[Page, list[str]]:
    """The page, scrolled through once so that every picture is there, and what the console said."""
    page = browser.new_page(viewport=ViewportSize(width=width, height=900), color_scheme=scheme, **options)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    page.mouse.wheel(0, 20_000)
    page.wait_for_load_state("networkidle")
    return page, [text for text in said if "404 (Not Found)" not in text]


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "light"), (1280, "dark")])
@pytest.mark.parametrize("path", PATHS)
def test_the_demo_has_no_console_error_and_no_axe_violation(
    product: Product, browser: Browser, path: str, width: int, scheme: Scheme
) -> None:
    page, said = visit(browser, product.url(path), width, scheme)
    result: Any = Axe().run(page)
    assert [(found["id"], found["nodes"][0]["html"]) for found in result.response["violations"]] == []
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_every_picture_of_the_demo_arrives(product: Product, browser: Browser) -> None:
    for path in PATHS[:-1]:
        page, _ = visit(browser, product.url(path), 1280, "light")
        page.wait_for_function("[...document.images].every(image => image.complete)")
        broken = "[...document.images].filter(image => !image.naturalWidth).map(image => image.src)"
        assert page.evaluate(broken) == [], path
        page.close()


def test_the_pages_are_whole_without_javascript(product: Product, browser: Browser) -> None:
    page, _ = visit(
        browser, product.url("/campaigns/a-living-shore/"), 360, "light", java_script_enabled=False
    )
    assert page.locator("h1").count() == 1
    assert page.get_by_role("heading", name="Who has endorsed").is_visible()
    page.close()


def test_a_visitor_reads_from_the_home_page_to_a_campaign(product: Product, browser: Browser) -> None:
    page, _ = visit(browser, product.url("/"), 1280, "light")
    page.get_by_role("link", name="See the campaigns").first.click()
    assert page.title().startswith("Campaigns, ")
    page.get_by_role("link", name="Keep road salt out of our wells").first.click()
    assert page.locator("h1").inner_text().replace("\n", " ") == "Keep road salt out of our wells"
    page.close()


def test_the_second_site_answers_under_its_own_name(product: Product, browser: Browser) -> None:
    page, said = visit(browser, product.url("/", "brackwater.localhost"), 1280, "light")
    assert "Brackwater" in page.title()
    assert "Larkspur" not in page.content()
    result: Any = Axe().run(page)
    assert result.response["violations"] == []
    assert said == []
    page.close()


def test_an_edit_is_live_when_publish_has_returned(product: Product) -> None:
    before, _ = product.get("/campaigns/")
    url = product.hustings("db", "url").strip()
    sql = """SELECT set_config('app.site_id', id::text, false) FROM site_directory() WHERE slug = 'demo';
             UPDATE campaigns SET summary = 'Edited while it runs.' WHERE slug = 'a-living-shore'"""
    subprocess.run(["psql", "-q", url, "-c", sql], check=True, stdout=subprocess.DEVNULL)
    told = json.loads(product.hustings("publish", "--site", "demo", "--json"))
    assert (told["site"], told["release"], told["rendered"]) == ("demo", int(before) + 1, 5)
    deadline = time.monotonic() + 20
    while product.get("/campaigns/")[0] == before:
        assert time.monotonic() < deadline
    assert "Edited while it runs." in product.get("/campaigns/a-living-shore/")[1]
    again = json.loads(product.hustings("publish", "--json"))
    assert [(each["rendered"], each["uploaded"]) for each in again] == [(0, 0), (0, 0)]


def test_loading_the_demo_again_changes_nothing(product: Product) -> None:
    said = product.hustings("content", "load", "content/brackwater")
    assert said == "brackwater: nothing changed.\n"
