"""README tells the truth: its settings, its commands, its dependencies."""

import re
import subprocess
import tomllib
from pathlib import Path

from click import Context, Group

from app.cli import COMMANDS, main
from app.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_every_setting_is_listed_with_its_default() -> None:
    rows = dict(re.findall(rf"^\| `({PREFIX}\w+)` \| (.+?) \|", README, re.MULTILINE))
    defaults = {PREFIX + field.upper(): getattr(Settings(), field) for field in Settings.__struct_fields__}
    assert set(rows) == set(defaults)
    for name, default in defaults.items():
        told = rows[name].strip("`")
        assert told in {str(default), "none" if not default else "", "for development only"}, name


def unknown_commands(text: str) -> list[str]:
    """What stands behind `hustings` in code, in blocks and in sentences, and is no command."""
    code = re.findall(r"^```\w*\n(.*?)^```|`([^`\n]+)`", text, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"\bhustings +([a-z][a-z ]*)", "\n".join(block or span for block, span in code))
    return [line for line in lines if not is_command(line.split())]


def is_command(words: list[str]) -> bool:
    command = main.get_command(Context(main), words[0])
    if isinstance(command, Group):
        return words[1:2] != [] and words[1] in command.commands
    return command is not None


def test_every_command_of_hustings_exists() -> None:
    assert unknown_commands(README) == []
    assert {"up", "serve", "worker", "publish", "releases", "takedown", "content", "db"} <= set(COMMANDS)


def test_a_command_that_does_not_exist_is_found() -> None:
    text = "```\n./dev hustings fly --far\nhustings db url\n```\n`hustings content burn` and `hustings serve`"
    assert [line.strip() for line in unknown_commands(text)] == ["fly", "content burn"]


def test_every_command_of_dev_exists() -> None:
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^\./dev (\w+)", usage, re.MULTILINE))
    used = set(re.findall(r"\./dev (\w+)", README))
    assert used
    assert used <= known


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    table = README.partition("## Dependencies")[2].partition("## Decisions")[0].lower()
    names = [re.split(r"[\[><=]", each)[0] for each in project["project"]["dependencies"]]
    assert [name for name in names if name not in table] == []
