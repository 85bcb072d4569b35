"""What `hustings publish --dry-run` says on a terminal."""

from itertools import groupby

from app.publishing.report import Outcome, PathChange, Preview

SHOWN = 20
"""Lines of a group, unless all are asked for."""
REASONS = 3
"""Of one path; a home page may have a hundred."""


def preview_lines(preview: Preview, *, yes: bool, show_all: bool) -> list[str]:
    lines = [_headline(preview)]
    for change, group in groupby(preview.paths, key=lambda each: each.change):
        paths = list(group)
        lines += _group(f"{change} ({len(paths)})", [_line(each) for each in paths], show_all=show_all)
    lines += warning_lines(preview, show_all=show_all)
    lines += _group(f"errors ({len(preview.errors)})", list(preview.errors), show_all=show_all)
    if preview.large_removal:
        lines.append(f"{preview.site}: {preview.large_removal} `publish` needs --yes for that.")
    return [*lines, f"{preview.site}: {_ending(preview, yes=yes)} Nothing was published."]


def warning_lines(outcome: Outcome, *, show_all: bool) -> list[str]:
    return _group(f"warnings ({len(outcome.warnings)})", list(outcome.warnings), show_all=show_all)


def stops(preview: Preview, *, yes: bool) -> bool:
    """Whether a publish would refuse; `--yes` is said to a large removal, and not to errors."""
    return bool(preview.errors) or (preview.large_removal is not None and not yes)


def _headline(preview: Preview) -> str:
    if not preview.paths:
        return f"{preview.site}: no page would change ({preview.pages} paths)."
    counts = f"{preview.rendered} rendered, {preview.removed} removed, {preview.unchanged} unchanged"
    return f"{preview.site}: would change: {counts}."


def _ending(preview: Preview, *, yes: bool) -> str:
    if preview.errors:
        return "a publish would stop because of the errors."
    return "a publish would stop." if stops(preview, yes=yes) else "this can be published."


def _line(each: PathChange) -> str:
    more = len(each.reasons) - REASONS
    told = [*each.reasons[:REASONS], *([f"{more} more reasons"] if more > 0 else [])]
    return f"{each.path}  because {', and '.join(told)}"


def _group(name: str, sentences: list[str], *, show_all: bool) -> list[str]:
    if not sentences:
        return []
    shown = sentences if show_all else sentences[:SHOWN]
    more = len(sentences) - len(shown)
    return [
        f"  {name}",
        *(f"    {sentence}" for sentence in shown),
        *([f"    and {more:,} more; --all shows them"] if more else []),
    ]
