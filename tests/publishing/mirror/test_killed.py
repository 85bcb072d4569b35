"""A mirror killed by SIGKILL before each of its calls, and a reader who follows links all the time."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from app.publishing.mirror import plan as plans
from app.publishing.mirror import run as runs
from app.storage.web import WebPlace
from app.storage.web_folder import WebFolder
from tests.publishing.mirror.world import Site, Watched, broken_links, files, reader

Hook = Callable[[str, str], None]


def watched(root: Path, hook: Hook) -> WebPlace:
    return cast("WebPlace", Watched(WebFolder(root), hook))


def prepared(root: Path) -> Site:
    """The old release is mirrored, the new one is live."""
    root.mkdir()
    site = Site()
    site.release(site.old())
    site.mirror_now(WebFolder(root))
    site.release(site.new())
    return site


def reading(root: Path, calls: list[tuple[str, str]]) -> Hook:
    """Notes every call, and reads the whole site before it."""

    def hook(verb: str, name: str) -> None:
        assert broken_links(reader(root)) == [], f"before {verb} {name}"
        calls.append((verb, name))

    return hook


def killed_before(call: int, site: Site, root: Path, log: Path) -> bool:
    """Whether the run in a process of its own was killed; what it put is in the log."""
    child = os.fork()
    if child == 0:
        count = 0

        def hook(verb: str, name: str) -> None:
            nonlocal count
            count += 1
            if count == call:
                os.kill(os.getpid(), signal.SIGKILL)
            with log.open("a") as lines:
                lines.write(f"{verb} {name}\n")

        status = 1
        try:
            site.mirror_now(watched(root, hook))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, log.read_text()
    return os.WIFSIGNALED(status)


def puts(calls: list[tuple[str, str]]) -> list[str]:
    return sorted(name for verb, name in calls if verb == "put")


def test_killed_anywhere_no_link_is_broken_and_the_next_run_ends_where_an_undisturbed_one_does(
    tmp_path: Path,
) -> None:
    calls: list[tuple[str, str]] = []
    site = prepared(tmp_path / "undisturbed")
    site.mirror_now(watched(tmp_path / "undisturbed", reading(tmp_path / "undisturbed", calls)))
    whole = files(tmp_path / "undisturbed")
    assert len(puts(calls)) > 10
    assert "campaigns/e/index.html" not in whole
    for call in range(1, len(calls) + 1):
        root, log = tmp_path / str(call), tmp_path / f"{call}.log"
        log.touch()
        site = prepared(root)
        assert killed_before(call, site, root, log)
        assert broken_links(reader(root)) == [], call
        again: list[tuple[str, str]] = []
        site.mirror_now(watched(root, reading(root, again)))
        assert files(root) == whole
        before = [cast("tuple[str, str]", tuple(line.split(" ", 1))) for line in log.read_text().splitlines()]
        assert puts(before + again) == puts(calls), f"killed before call {call}"


def test_a_first_mirror_killed_anywhere_goes_on(tmp_path: Path) -> None:
    calls: list[tuple[str, str]] = []
    site = Site()
    site.release(site.old())
    (tmp_path / "undisturbed").mkdir()
    site.mirror_now(watched(tmp_path / "undisturbed", lambda verb, name: calls.append((verb, name))))
    for call in range(1, len(calls) + 1):
        root, log = tmp_path / str(call), tmp_path / f"{call}.log"
        root.mkdir()
        log.touch()
        assert killed_before(call, site, root, log)
        assert broken_links(reader(root)) == []
        site.mirror_now(WebFolder(root))
        assert files(root) == files(tmp_path / "undisturbed")


def test_killed_and_then_a_newer_release_is_live(tmp_path: Path) -> None:
    """What the unfinished run put and the newest release does not have is taken away again."""
    calls: list[tuple[str, str]] = []
    site = prepared(tmp_path / "count")
    site.mirror_now(watched(tmp_path / "count", lambda verb, name: calls.append((verb, name))))
    for call in range(1, len(calls) + 1):
        root, log = tmp_path / str(call), tmp_path / f"{call}.log"
        log.touch()
        site = prepared(root)
        killed_before(call, site, root, log)
        site.release(site.old())
        site.mirror_now(watched(root, reading(root, [])))
        left = {name for name in files(root) if not name.startswith(("assets/", "media/"))}
        assert left == {
            f"{path[1:]}index.html" if path.endswith("/") else path[1:] for path in site.old()
        } - {
            "assets/site-1.css",
            "media/1-a.webp",
        }


def test_many_uploads_at_a_time_keep_to_the_groups(tmp_path: Path) -> None:
    calls: list[tuple[str, str]] = []
    site = prepared(tmp_path / "mirror")
    site.mirror_now(watched(tmp_path / "mirror", reading(tmp_path / "mirror", calls)), concurrency=8)
    assert len(puts(calls)) > 10


def test_without_barriers_the_reader_finds_broken_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same files in one group."""

    def in_one(*arguments: Any, **options: Any) -> plans.Plan:
        plan = plans.make_plan(*arguments, **options)
        names = sorted(name for step in plan.uploads for name in step.names)
        return msgspec.structs.replace(plan, uploads=(plans.Step("everything", tuple(names)),))

    site = prepared(tmp_path / "mirror")
    monkeypatch.setattr(runs, "make_plan", in_one)
    seen: list[Any] = []

    def hook(_: str, __: str) -> None:
        seen.extend(broken_links(reader(tmp_path / "mirror")))

    site.mirror_now(watched(tmp_path / "mirror", hook))
    assert seen


@pytest.mark.parametrize("groups", [tuple(reversed(plans.GROUPS)), ("pages", *plans.GROUPS)])
def test_the_reader_finds_the_broken_links_of_another_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: tuple[str, ...]
) -> None:
    """The control."""
    site = prepared(tmp_path / "mirror")
    monkeypatch.setattr(plans, "GROUPS", tuple(dict.fromkeys(groups)))
    seen: list[Any] = []

    def hook(_: str, __: str) -> None:
        seen.extend(broken_links(reader(tmp_path / "mirror")))

    site.mirror_now(watched(tmp_path / "mirror", hook))
    assert seen


def test_without_looking_at_what_is_there_files_would_go_up_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the count."""
    calls: list[tuple[str, str]] = []
    site = prepared(tmp_path / "mirror")
    log = tmp_path / "log"
    log.touch()
    assert killed_before(17, site, tmp_path / "mirror", log)
    monkeypatch.setattr(WebFolder, "holds", lambda *_: False)
    site.mirror_now(watched(tmp_path / "mirror", lambda verb, name: calls.append((verb, name))))
    before = {line.split(" ")[1] for line in log.read_text().splitlines() if line.startswith("put ")}
    assert before & set(puts(calls))
