"""Which row a file stands for: the one that is stored under its key, or a new one."""

from collections.abc import Iterable
from typing import Generic, TypeVar
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from app.packs.parts import Loading

K = TypeVar("K")


class Known(msgspec.Struct, frozen=True):
    id: UUID
    translation_group_id: UUID
    stored: bool = True


class Identities(Generic[K]):
    """Rows of one table by language and key; translations share the group of their original."""

    def __init__(self, load: Loading, stored: Iterable[tuple[str, K, Known]]) -> None:
        self._load = load
        self._stored = {(locale, key): known for locale, key, known in stored}
        self._given: dict[tuple[str, K], Known] = {}

    def find(self, locale: str, key: K) -> Known | None:
        """A row of the pack, or one of the database that this load leaves alone."""
        place = (locale, key)
        return self._given.get(place) or (None if self._load.prune else self._stored.get(place))

    def take(self, locale: str, key: K, file: str) -> Known | None:
        """The row for a file; None with a problem for a translation of nothing. Originals are taken first."""
        original = None
        if locale != self._load.locale:
            original = self.find(self._load.locale, key)
            if original is None:
                wrong = f"translates nothing: there is no such file without .{locale}"
                self._load.problems.add(file, wrong)
                return None
        made = self._known((locale, key), original)
        self._given[locale, key] = made
        return made

    def keys(self) -> dict[UUID, tuple[str, K]]:
        """Language and key of every row that is given or stored, by its id."""
        return {known.id: place for place, known in {**self._stored, **self._given}.items()}

    def given_ids(self) -> list[UUID]:
        return [known.id for known in self._given.values()]

    def _known(self, place: tuple[str, K], original: Known | None) -> Known:
        stored = self._stored.get(place)
        source = original or stored
        group = source.translation_group_id if source else uuid7()
        return Known(stored.id if stored else uuid7(), group, stored is not None)
