"""In which order files go up, so that no page is ever seen that leads to what is not there.

A group begins when the one before has arrived. Pages that nobody can have a link to yet go first, then those
that visitors already read and that may link to them; what leads into the site comes last, and only then is
deleted what no page links to any more.
"""

from collections.abc import Iterable

import msgspec

from app.publishing.mirror.source import INDEX, Placed, parents

GROUPS = ("assets", "media", "new pages", "new listings", "pages", "listings", "home", "feeds")
DELETIONS = "deletions"
_MEDIA = ("image/", "video/", "audio/", "font/")


class Step(msgspec.Struct, frozen=True):
    group: str
    names: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    room: tuple[str, ...]
    """What has to go first: a file where a folder will be, or the other way round."""
    uploads: tuple[Step, ...]
    delete: tuple[str, ...]

    @property
    def total(self) -> int:
        return len(self.room) + len(self.delete) + sum(len(step.names) for step in self.uploads)


def make_plan(old: dict[str, Placed], new: dict[str, Placed], *, has_folders: bool) -> Plan:
    changed = [name for name, file in new.items() if name not in old or old[name].mark != file.mark]
    removed = sorted(old.keys() - new.keys())
    room = _in_the_way(removed, changed) if has_folders else set()
    listings = {parent for name in new if is_page(new[name]) for parent in parents(folder_of(name))}
    grouped: dict[str, list[str]] = {group: [] for group in GROUPS}
    for name in sorted(changed):
        grouped[group_of(name, new[name], is_new=name not in old, listings=listings)].append(name)
    return Plan(
        room=tuple(sorted(room)),
        uploads=tuple(Step(group, tuple(grouped[group])) for group in GROUPS if grouped[group]),
        delete=tuple(name for name in removed if name not in room),
    )


def group_of(name: str, file: Placed, *, is_new: bool, listings: set[str]) -> str:
    """A redirect leads to pages and nothing leads to it but old addresses."""
    if file.cache == "immutable":
        return "media" if file.content_type.startswith(_MEDIA) else "assets"
    if file.cache == "feed":
        return "feeds"
    if name == INDEX:
        return "home"
    has_pages_below = folder_of(name) in listings or file.location is not None
    kind = "listings" if has_pages_below else "pages"
    return f"new {kind}" if is_new else kind


def is_page(file: Placed) -> bool:
    return file.cache == "page" and file.location is None


def folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def _in_the_way(removed: Iterable[str], changed: Iterable[str]) -> set[str]:
    files = set(changed)
    folders = {parent for name in files for parent in parents(name)}
    return {name for name in removed if name in folders or any(parent in files for parent in parents(name))}
