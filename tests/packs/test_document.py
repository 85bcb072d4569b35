"""Lines of keys, of rows and of bodies."""

import pytest

from app.packs.document import Document, read_csv, read_matter, read_toml, trim_body
from app.packs.problems import PackError, Problems

TOML = """\
# a comment = 1
title = "x"
text = \"\"\"
title = "not a key"
[neither]
\"\"\"
raw = '''one line'''
"quoted key" = 1
a.b = 2
list = [
  "c = 3",
]

[theme]
primary = "y"

[[navigation]]
label = "a"
[[navigation]]
  label = "b"
"""


def read(text: str, first_line: int = 1) -> Document:
    problems = Problems()
    document = read_toml(text, "a.toml", problems, first_line=first_line)
    problems.check()
    assert document is not None
    return document


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("text",), 3),
        (("raw",), 7),
        (("quoted key",), 8),
        (("a", "b"), 9),
        (("list",), 10),
        (("theme",), 14),
        (("theme", "primary"), 15),
        (("theme", "missing"), 14),
        (("navigation", 0, "label"), 18),
        (("navigation", 1, "label"), 20),
        (("missing",), 1),
    ],
)
def test_every_key_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert read(TOML).line(*path) == line
    assert read(TOML, first_line=11).line(*path) == line + 10


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ("a = [\n", 1), ("a = " + "[" * 5000 + "\n", 1)],
)
def test_broken_toml_is_named_by_its_line(text: str, line: int) -> None:
    with pytest.raises(PackError, match=rf"^a\.toml:{line}: is not TOML: "):
        read(text)


def test_the_line_of_a_body_counts_from_the_top_of_the_file() -> None:
    matter = read_matter('+++\ntitle = "x"\n+++\n\n\none\ntwo\n', "a.md", Problems())
    assert matter is not None
    assert matter.body == "one\ntwo"
    assert (matter.line_of("one"), matter.line_of("two"), matter.line_of("none")) == (6, 7, 6)


def test_a_body_may_be_missing() -> None:
    matter = read_matter("+++\n+++", "a.md", Problems())
    assert matter is not None
    assert matter.body == ""


def test_blank_lines_around_a_body_go_and_an_indent_stays() -> None:
    assert trim_body("\n \n    code\r\nnext \n\n") == "    code\nnext"


def test_rows_know_their_first_line_and_leave_empty_values_out() -> None:
    text = 'a,b\n1,"two\nlines"\n\n3,\n\u2028,x\n'
    rows = read_csv(text, "a.csv", Problems(), ("a", "b"))
    assert [(row.first_line, row.values) for row in rows] == [
        (2, {"a": "1", "b": "two\nlines"}),
        (5, {"a": "3"}),
        (6, {"a": "\u2028", "b": "x"}),
    ]


def test_a_value_that_is_too_long_for_csv_is_a_problem() -> None:
    problems = Problems()
    read_csv("a\n" + "x" * 140_000 + "\n", "a.csv", problems, ("a",))
    with pytest.raises(PackError, match=r"^a\.csv:2: is not CSV: field larger than field limit"):
        problems.check()
