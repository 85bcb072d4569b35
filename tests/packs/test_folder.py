"""Reading the files of a pack: nothing outside it, nothing that is no plain file, nothing huge."""

import os
from pathlib import Path

import pytest

from app.packs.folder import PackFolder
from app.packs.problems import PackError, Problems

FILES = ("a.md", "a/b.md", "a.blocks/01-x.md", "a0.md")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "pack"
    for name in ("site.toml", *FILES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def found(root: Path) -> tuple[list[str], list[str]]:
    """The files that are seen, and the problems."""
    problems = Problems()
    folder = PackFolder(root, problems)
    try:
        problems.check()
    except PackError as error:
        return list(folder.files), str(error).split("\n")
    return list(folder.files), []


def test_files_are_seen_sorted_and_below_their_folders(root: Path) -> None:
    folder = PackFolder(root, Problems())
    assert list(folder.files) == sorted(("site.toml", *FILES))
    assert folder.below("a") == ["a/b.md"]
    assert folder.below("a.blocks") == ["a.blocks/01-x.md"]
    assert folder.below("b") == []


def test_dotfiles_and_the_readme_are_not_seen(root: Path) -> None:
    for name in (".git/config", "a/.DS_Store", "README.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    assert found(root) == (sorted(("site.toml", *FILES)), [])


def test_a_link_inside_the_pack_is_read(root: Path) -> None:
    (root / "link.md").symlink_to("a.md")
    files, problems = found(root)
    assert "link.md" in files
    assert problems == []


def test_a_link_that_leaves_the_pack_is_refused(root: Path) -> None:
    (root.parent / "secret").write_text("secret")
    (root / "link.md").symlink_to("../secret")
    files, problems = found(root)
    assert "link.md" not in files
    assert problems == ["link.md: is a link that leads out of the pack; put the file itself here"]


def test_a_link_to_a_folder_a_pipe_and_a_broken_link_are_refused(root: Path) -> None:
    (root / "folder").symlink_to("a")
    (root / "gone").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    assert found(root)[1] == [
        "folder: is neither a file nor a folder; remove it",
        "gone: cannot be read: No such file or directory",
        "pipe: is neither a file nor a folder; remove it",
    ]


def test_a_name_that_is_not_utf8_is_refused(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.md")).write_text("x")
    (root / "a\nb.md").write_text("x")
    assert found(root)[1] == [
        "'\\udcff.md': has a name that cannot be shown; rename it",
        "'a\\nb.md': has a name that cannot be shown; rename it",
    ]


@pytest.mark.parametrize(("name", "limit"), [("big.md", "1 MB"), ("big.csv", "64 MB"), ("big.png", "20 MB")])
def test_a_huge_file_is_refused_unread(name: str, limit: str, root: Path) -> None:
    with (root / name).open("wb") as file:
        file.truncate(64_000_001)
    problems = Problems()
    assert PackFolder(root, problems).text(name) is None
    with pytest.raises(PackError, match=f"{name}: is larger than {limit}; make it smaller"):
        problems.check()


def test_a_file_that_vanished_is_a_problem(root: Path) -> None:
    problems = Problems()
    folder = PackFolder(root, problems)
    (root / "a.md").unlink()
    assert folder.text("a.md") is None
    with pytest.raises(PackError, match=r"a\.md: cannot be read: No such file or directory"):
        problems.check()


def test_what_nobody_claims_is_a_problem(root: Path) -> None:
    problems = Problems()
    folder = PackFolder(root, problems)
    for name in ("site.toml", *FILES[1:]):
        assert folder.text(name) == name
    folder.report_unclaimed()
    with pytest.raises(PackError) as refused:
        problems.check()
    assert str(refused.value) == "a.md: is not a file that a pack may hold; rename or remove it"


@pytest.mark.parametrize("name", ["nowhere", "file", "."])
def test_what_is_no_pack_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PackError, match=r"is not a (folder|content pack)"):
        PackFolder(tmp_path / name, Problems())
