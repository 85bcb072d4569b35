"""Structs of campaigns: what the campaign page shows of its endorsements."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from app.kit.paging import Page
from app.pages.schemas import State


class Endorser(msgspec.Struct, frozen=True):
    """One public line of the endorsement list; nothing here identifies a private person further."""

    name: str
    organization: str
    role: str
    """The stakeholder's title in the organization."""
    stakeholder_type: str
    """One of the types of seed 000: farmer, waterman, business, nonprofit, individual, ..."""
    place: str
    """City and state as written, or empty."""
    statement: str
    endorsed_on: date


class Count(msgspec.Struct, frozen=True):
    """How many endorsed, and when the last of them did (UTC)."""

    count: int
    as_of: datetime


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The endorsements of one campaign as they stand in the HTML."""

    count: int
    as_of: datetime | None
    """UTC time of the last counted endorsement; None when there is none."""
    newest: tuple[Endorser, ...]
    """At most 20, newest first, only those with consent."""


class CampaignSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the API's list says of a campaign."""

    id: UUID
    number: int
    """Runs from 1 for each site and language; what is added later has a higher one."""
    slug: str
    title: str
    summary: str
    state: State
    closes_at: datetime | None
    image_url: str
    image_alt_text: str
    endorsement_count: int
    target_count: int | None
    allow_endorsements: bool
    created_at: datetime
    updated_at: datetime


class CampaignList(Page[CampaignSummary], frozen=True, kw_only=True):
    """One page of the list; `total` counts all pages and comes with the first one."""


class CampaignRead(CampaignSummary, frozen=True, kw_only=True):
    """What the API says of one campaign; `*_html` is the text beside it, rendered and sanitised."""

    locale: str
    description: str
    description_html: str
    endorsement_statement: str
    endorsement_form_instructions: str
    target_obligation: str
    outcome: str
    outcome_html: str
