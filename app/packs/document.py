"""Values with the lines they were read from: TOML files, front matter, rows of CSV."""

import csv
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from app.packs.problems import Problems

Path = tuple[str | int, ...]

FENCE = "+++"
_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_KEYS = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_KEYS})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*({_KEYS})[ \t]*=(.*)")
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")
_QUOTES = re.compile(r'"""|\'\'\'')


class Document(msgspec.Struct, frozen=True):
    """`lines` knows the keys as TOML nests them, with list indexes; a row of CSV knows one line alone."""

    file: str
    values: Mapping[str, Any]
    first_line: int
    lines: Mapping[Path, int]
    is_text: bool = False
    """Every value is text still: a row of CSV."""

    def line(self, *path: str | int) -> int:
        """The line of the key, else of the nearest table around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return self.first_line


def read_toml(text: str, file: str, problems: Problems, *, first_line: int = 1) -> Document | None:
    """None with a problem when it is not TOML."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n")
        problems.add(file, f"is not TOML: {_AT_LINE.sub('', str(error))}", line=line + first_line - 1)
        return None
    except RecursionError:
        problems.add(file, "is not TOML: it is nested too deeply", line=first_line)
        return None
    return Document(file, values, first_line, dict(_key_lines(text, first_line)))


class Matter(msgspec.Struct, frozen=True):
    """Front matter and the text below it, without blank lines around it."""

    document: Document
    body: str
    body_line: int

    def line_of(self, part: str) -> int:
        """The line of the body that holds `part` first."""
        return self.body_line + self.body.count("\n", 0, max(0, self.body.find(part)))


def read_matter(text: str, file: str, problems: Problems) -> Matter | None:
    """None with a problem when the fences are missing or what is between them is not TOML."""
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        problems.add(file, f"must start with a line {FENCE} and the fields", line=1)
        return None
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), None)
    if end is None:
        problems.add(file, f"has no second line {FENCE} that ends the fields", line=1)
        return None
    document = read_toml("\n".join(lines[1:end]) + "\n", file, problems, first_line=2)
    first = next((number for number, line in enumerate(lines[end + 1 :], end + 2) if line.strip()), end + 1)
    return None if document is None else Matter(document, trim_body("\n".join(lines[end + 1 :])), first)


def trim_body(text: str) -> str:
    """Without blank lines before it and white space after it; an indented first line keeps its indent."""
    return re.sub(r"\A(?:[ \t]*\n)+", "", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip()


def read_csv(text: str, file: str, problems: Problems, columns: tuple[str, ...]) -> list[Document]:
    """One document for each row; an empty value is left out. Rows that cannot be read are problems."""
    rows = _rows(text, file, problems)
    header = next(rows, None)
    if header is None:
        problems.add(file, f"has no header row; the columns are {', '.join(columns)}", line=1)
        return []
    names = header[1]
    if len(set(names)) < len(names):
        problems.add(file, "names a column twice", line=1)
        return []
    return [
        Document(file, dict(_filled(names, values)), line, {}, is_text=True)
        for line, values in rows
        if _has_all(names, values, file, line, problems)
    ]


def _rows(text: str, file: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            problems.add(file, f"is not CSV: {error}", line=line)
            return
        if row is None:
            return
        if row:
            yield line, row


def _has_all(names: list[str], values: list[str], file: str, line: int, problems: Problems) -> bool:
    if len(values) == len(names):
        return True
    problems.add(file, f"has {len(values)} values where the header has {len(names)} columns", line=line)
    return False


def _filled(names: list[str], values: list[str]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in zip(names, values, strict=True) if value)


def _key_lines(text: str, first_line: int) -> Iterator[tuple[Path, int]]:
    table: Path = ()
    counts: dict[Path, int] = {}
    closing = ""
    for line, content in enumerate(text.split("\n"), first_line):
        if closing:
            if content.count(closing) % 2:
                closing = ""
        elif header := _HEADER.match(content):
            table = _split(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, line
        elif assignment := _ASSIGNMENT.match(content):
            yield (*table, *_split(assignment[1])), line
            closing = _left_open(assignment[2])


def _left_open(value: str) -> str:
    quotes = _QUOTES.search(value)
    return quotes[0] if quotes and value.count(quotes[0]) % 2 else ""


def _split(keys: str) -> tuple[str, ...]:
    return tuple(part[0].strip("\"'") for part in re.finditer(_KEY, keys))
