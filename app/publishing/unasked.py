"""Publishes that no person asks for, by a time that has come or to refresh counts, and when they wait."""

from collections.abc import Collection
from typing import Literal

from app.publishing.content import changed_tables
from app.publishing.kinds import Content
from app.publishing.releases import LiveRow

Trigger = Literal["editor", "schedule", "refresh"]
"""What sets off a publish: a person now, a time that a person chose, or counts that have moved on."""

PAUSED = "SELECT is_paused FROM publications"
OF_THE_ENGINE = frozenset({"tombstones"})
"""What is taken down, or may come back, somebody has asked for."""


async def reason_to_wait(
    content: Content, live: LiveRow | None, trigger: Trigger, counted: Collection[str]
) -> str | None:
    """Why this publish has to wait for an editor; None when it may go on.

    `counted` are the tables that visitors write: a refresh takes nothing live that an editor is at work on.
    """
    if trigger == "editor":
        return None
    if await content.connection.fetchval(PAUSED):
        return "an older release was brought back, so nothing goes live by itself until an editor publishes"
    if trigger == "refresh":
        return await _reason_not_to_refresh(content, live, counted)
    return None


async def _reason_not_to_refresh(
    content: Content, live: LiveRow | None, counted: Collection[str]
) -> str | None:
    if live is None or live.snapshot is None or live.is_forgotten or live.database_id != content.database_id:
        return "it is not known what changed since the live release, so an editor has to publish first"
    edited = await changed_tables(content, live.snapshot) - {*counted, *OF_THE_ENGINE}
    if edited:
        return f"edits wait for an editor to publish them ({', '.join(sorted(edited))})"
    return None
