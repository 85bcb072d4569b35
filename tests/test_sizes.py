"""Files and functions stay short enough to be read at one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 400
LONGEST_FUNCTION = 50


def too_long(name: str, text: str) -> Iterator[str]:
    """What is too long in one file, as sentences."""
    lines = len(text.splitlines())
    if lines > LONGEST_FILE:
        yield f"{name} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{name}:{node.lineno} {node.name} has {length} lines"


def test_every_file_and_function_is_short_enough() -> None:
    files = [path for folder in ("app", "tests") for path in (ROOT / folder).rglob("*.py")]
    found = [
        each for path in files for each in too_long(str(path.relative_to(ROOT)), path.read_text("utf-8"))
    ]
    assert len(files) > 20
    assert found == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("x = 1\n" * 400, 0),
        ("x = 1\n" * 401, 1),
        ("def f():\n" + "    x = 1\n" * 49, 0),
        ("def f():\n" + "    x = 1\n" * 50, 1),
        ("async def f():\n" + "    x = 1\n" * 400, 2),
    ],
)
def test_the_limits_are_found_out(text: str, problems: int) -> None:
    assert len(list(too_long("file.py", text))) == problems
