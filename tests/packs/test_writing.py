"""What is written is read as the same values, whatever they are."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.packs.document import read_csv, read_matter, trim_body
from app.packs.fields import Moment, build
from app.packs.problems import Problems
from app.packs.writing import csv_text, matter_text, moment_text, number_text

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
BODY = TEXT | st.lists(st.sampled_from(["+++", "", " ", "# A", '"""', "\r", "    x"])).map("\n".join)
MOMENT = st.datetimes(timezones=st.just(UTC))


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    label: str = ""


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    other: str = "other"
    number: int | None = None
    is_it: bool = True
    when: Moment | None = None
    names: list[str] = []
    links: dict[str, str] = {}
    inner: Inner = Inner()
    items: list[Inner] = []


class Cells(msgspec.Struct, frozen=True, kw_only=True):
    key: str = ""
    text: str = ""
    place: float | None = None
    is_it: bool = True
    when: Moment | None = None


INNER = st.builds(Inner, label=TEXT)
EVERYTHING = st.builds(
    Everything,
    title=TEXT | BODY,
    other=TEXT,
    number=st.none() | st.integers(-(2**63), 2**63 - 1),
    is_it=st.booleans(),
    when=st.none() | MOMENT,
    names=st.lists(TEXT),
    links=st.dictionaries(TEXT, TEXT),
    inner=INNER,
    items=st.lists(INNER),
)
CELLS = st.builds(
    Cells,
    key=TEXT,
    text=TEXT,
    place=st.none() | st.floats(-180, 180),
    is_it=st.booleans(),
    when=st.none() | MOMENT,
)


@settings(deadline=None)
@example(Everything(links={"\n": ""}), "")
@given(EVERYTHING, BODY)
def test_front_matter_and_body_go_round(fields: Everything, body: str) -> None:
    text = matter_text(fields, body)
    problems = Problems()
    matter = read_matter(text, "a.md", problems)
    problems.check()
    assert matter is not None
    assert build(Everything, matter.document, problems) == fields
    assert matter.body == trim_body(body)
    assert matter_text(fields, matter.body) == text


@settings(deadline=None)
@given(st.lists(CELLS))
def test_rows_of_csv_go_round_with_line_ends_made_plain(rows: list[Cells]) -> None:
    names = Cells.__struct_fields__
    text = csv_text(names, [msgspec.structs.asdict(row) for row in rows])
    problems = Problems()
    documents = read_csv(text, "a.csv", problems, names)
    built = [build(Cells, document, problems) for document in documents]
    problems.check()
    assert built == [msgspec.structs.replace(row, key=_plain(row.key), text=_plain(row.text)) for row in rows]


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def test_a_time_is_written_in_utc_and_without_empty_fractions() -> None:
    eastern = timezone(timedelta(hours=-5))
    assert moment_text(datetime(2026, 1, 2, 22, 0, tzinfo=eastern)) == "2026-01-03T03:00:00Z"
    assert moment_text(datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC)) == "2026-01-02T03:04:05.000060Z"


def test_a_whole_number_has_no_fraction() -> None:
    assert [number_text(value) for value in (38.0, -0.0, 39.3905, 1e-7)] == ["38", "0", "39.3905", "1e-07"]
