"""`hustings takedown` over a real database and a folder."""

import pytest

from app.commands.prepare import demo_packs
from app.commands.takedown import sentence
from app.publishing.takedown import TakenDown
from tests.commands.test_publish import Shell
from tests.commands.test_releases import shell  # noqa: F401 - the fixture

REASON = ("--reason", "a court order")


def test_a_page_is_taken_down_once(shell: Shell) -> None:  # noqa: F811 - the fixture
    shell("content", "load", str(demo_packs()[0]))
    early = shell("takedown", "/campaigns/", *REASON)
    assert (early.exit_code, early.stdout) == (1, "")
    assert "No release shows /campaigns/; nothing was taken down." in early.stderr
    shell("publish")
    assert shell("takedown", "/campaigns/").exit_code == 2
    done = shell("takedown", "/campaigns/", *REASON)
    assert done.stdout == "demo: /campaigns/ is taken down; release 2 is live, 1 version deleted.\n"
    again = shell("takedown", "/campaigns/", *REASON, "--site", "demo")
    assert again.exit_code == 1
    assert "/campaigns/ was taken down already, on " in again.stderr
    assert again.stderr.endswith(": a court order\n")
    assert shell("takedown", "/campaigns/", *REASON, "--undo").exit_code == 2
    undone = shell("takedown", "/campaigns/", "--undo")
    assert undone.stdout.startswith(
        "demo: /campaigns/ may be shown again, which `hustings publish --site demo`"
    )
    told = shell("publish", "--site", "demo").stdout
    assert "release 3 is live at " in told
    assert ": 1 rendered" in told
    assert "/campaigns/ is not taken down." in shell("takedown", "/campaigns/", "--undo").stderr


@pytest.mark.parametrize(
    ("shared", "told"),
    [(0, "2 versions deleted."), (1, "deleted, 1 kept because other paths show the same.")],
)
def test_what_others_show_is_said(shared: int, told: str) -> None:
    assert told in sentence("demo", TakenDown(path="/a/", release=2, deleted=2, shared=shared))
