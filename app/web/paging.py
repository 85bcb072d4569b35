"""Lists in pages: `?limit=1..100&cursor=`, the same for every list of the API."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.errors import Malformed
from app.kit.paging import BadCursor, Cursors, Page, cut_page

T = TypeVar("T")
P = TypeVar("P", bound=Page[Any])
LIMIT = 20
MOST = 100

Limit = Annotated[
    int,
    QueryParameter(ge=1, le=MOST, description="How many items at most."),
]
Cursor = Annotated[
    str | None, QueryParameter(description="`next_cursor` of the page before, with the same filters; opaque.")
]


class Window:
    """The part of a list that a request asks for."""

    def __init__(self, cursors: Cursors, site_id: UUID, limit: int, cursor: str | None) -> None:
        self.limit = limit
        self.is_first = cursor is None
        self._cursors = cursors
        self._site_id = site_id
        self._cursor = cursor

    def after(self, listing: str) -> str | None:
        """The position that the page before ended with, None for the first page.

        `listing` names the list and its filters. Raises Malformed for a cursor that was not made for both.
        """
        if self._cursor is None:
            return None
        try:
            return self._cursors.read(self._name(listing), self._cursor)
        except BadCursor:
            raise Malformed("The cursor does not belong to this list. Start again without one.") from None

    def page(
        self, kind: type[P], listing: str, rows: Sequence[T], position: Callable[[T], str], total: int | None
    ) -> P:
        """A page of the given kind, made of at most `limit + 1` rows that were read."""
        items, next_cursor = cut_page(
            rows, self.limit, lambda row: self._cursors.write(self._name(listing), position(row))
        )
        return kind(items=items, next_cursor=next_cursor, total=total)

    def _name(self, listing: str) -> str:
        return f"{self._site_id}/{listing}"


def provide_window(
    cursors: NamedDependency[Cursors],
    site_id: NamedDependency[UUID],
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Window:
    return Window(cursors, site_id, limit, cursor)
