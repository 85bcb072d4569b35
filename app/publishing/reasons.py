"""Why a path would change: by asking the page kinds about each changed row alone, which paths it touches.

So no page kind has to know of reasons, and none can be wrong that the plan is not wrong with. A few hundred
queries at most, for a person who waits: a publish itself never asks.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from app.publishing.chunk import Kinds
from app.publishing.content import changes_since
from app.publishing.kinds import Change, Changes, Content, Naming, PageKind
from app.publishing.plan import Plan
from app.publishing.releases import LiveRow

MOST_ROWS = 40
"""Beyond so many changed rows they are told table by table."""
NAMED_BY = ("slug", "filename", "from_path")
"""What the log keeps of a row that is not there any more, if it is a name."""
BY_TIME = "a day has come on which something closed"
TOGETHER = "several changes together moved it"


async def reasons(
    content: Content, kinds: Kinds, plan: Plan, *, live: LiveRow | None, recipe: str, paths: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """For each of the paths at least one reason."""
    changes = plan.changes or await _known_changes(content, live)
    if changes is None:
        return dict.fromkeys(paths, (_first(live),))
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence, part in await _parts(content, changes, kinds.namings):
        for path in await _touched(content, kinds.all, part) & set(paths):
            found[path][sentence] += 1
    otherwise = _otherwise(plan, changes, live, recipe)
    return {path: _counted(found[path]) or (otherwise,) for path in paths}


async def _known_changes(content: Content, live: LiveRow | None) -> Changes | None:
    """For a full plan: what changed may be known all the same."""
    if live is None or live.snapshot is None or live.frozen_at is None or live.is_forgotten:
        return None
    if live.database_id != content.database_id:
        return None
    return await changes_since(content, live.snapshot, live.frozen_at)


async def _parts(content: Content, changes: Changes, namings: Sequence[Naming]) -> list[tuple[str, Changes]]:
    """Each a reason, and the changes that are it. What closed by time is a part of its own."""
    by_row: dict[tuple[str, UUID], list[Change]] = defaultdict(list)
    for change in changes.rows:
        by_row[change.table, change.row_id].append(change)
    known = {naming.table: naming for naming in namings}
    names = await _names(content, namings, by_row)
    if len(by_row) > MOST_ROWS:
        told = _by_table(by_row, known)
    else:
        told = [(_sentence(known.get(key[0]), rows, names.get(key)), rows) for key, rows in by_row.items()]
    parts = [(sentence, Changes(rows, since=content.frozen_at)) for sentence, rows in told]
    return [(BY_TIME, Changes((), since=changes.since)), *parts]


def _by_table(
    by_row: Mapping[tuple[str, UUID], list[Change]], known: Mapping[str, Naming]
) -> list[tuple[str, list[Change]]]:
    tables: dict[str, list[Change]] = defaultdict(list)
    counts = Counter(table for table, _ in by_row)
    for (table, _), rows in by_row.items():
        tables[table] += rows
    return [
        (f"{counts[table]:,} {known[table].many if table in known else 'rows of ' + table} changed", rows)
        for table, rows in tables.items()
    ]


async def _names(
    content: Content, namings: Sequence[Naming], rows: Iterable[tuple[str, UUID]]
) -> dict[tuple[str, UUID], str]:
    """The names of rows that are there, in one query; its text is made of constants of the program."""
    parts = [
        f"SELECT '{naming.table}' AS source, id, {naming.column}::text AS name FROM {naming.table} "
        "WHERE id = ANY($1::uuid[])"
        for naming in namings
        if naming.column
    ]
    ids = [row_id for _, row_id in rows][:MOST_ROWS]
    if not parts or not ids:
        return {}
    found = await content.connection.fetch(" UNION ALL ".join(parts), ids)
    return {(row["source"], row["id"]): row["name"] for row in found}


def _sentence(naming: Naming | None, rows: Sequence[Change], name: str | None) -> str:
    actions = {change.action for change in rows}
    happened = "was deleted" if "delete" in actions else "is new" if "insert" in actions else "changed"
    noun = naming.one if naming else f"row of {rows[0].table}"
    if name is None and naming and naming.column:
        name = next((str(row.old[key]) for row in rows for key in NAMED_BY if row.old.get(key)), None)
    return f"the {noun} “{name}” {happened}" if name else f"one {noun} {happened}"


async def _touched(content: Content, kinds: Iterable[PageKind], changes: Changes) -> set[str]:
    return {path for kind in kinds for path in await kind.touched(content, changes)}


def _first(live: LiveRow | None) -> str:
    if live is None:
        return "it is not known to be published yet"
    return "it is not known any more what the live release was made from"


def _otherwise(plan: Plan, changes: Changes, live: LiveRow | None, recipe: str) -> str:
    """For a path that no change touches by itself."""
    if not plan.is_full:
        return TOGETHER
    if changes.touch("sites"):
        return "what stands on every page changed: the name, the look or the navigation of the site"
    if live is None or live.recipe != recipe:
        return "a template or the program changed"
    return "it differs from what the content gives now"


def _counted(found: Counter[str]) -> tuple[str, ...]:
    return tuple(
        sentence if count == 1 else f"{sentence} ({count} times)" for sentence, count in found.items()
    )
