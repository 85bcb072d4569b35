"""The collaborators of every publish, and what one publish has come to."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from uuid import UUID

import anyio
import msgspec

from app.database.engine import Connection, Pool
from app.kit.clock import Clock
from app.publishing.base import Base
from app.publishing.chunk import Workshop
from app.publishing.elsewhere import Elsewhere
from app.publishing.lease import Lease
from app.publishing.releases import Ticket
from app.publishing.report import Outcome

CONNECTIONS = 3
"""Of the database, for one publish: its lease, its notes, its frozen view."""


class Engine(Workshop, frozen=True, kw_only=True):
    """The collaborators of every publish. The pool has to have at least CONNECTIONS connections."""

    pool: Pool
    clock: Clock
    actor: str = ""
    """Who asks; kept with each release that is made."""
    elsewhere: Elsewhere | None = None
    """Who helps with large publishes; without, all is done in this process."""
    counted: frozenset[str] = frozenset()
    """Tables that visitors write: what a refresh may take live."""
    gate: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    """Held while a publish takes its connections: two that each wait for the other's would wait for ever."""


class Run:
    """What one publish has come to so far."""

    def __init__(self, engine: Engine, site_id: UUID, control: Connection, base: Base, held: Lease) -> None:
        self.engine = engine
        self.site_id = site_id
        self.control = control
        self.lease = held
        self.base = base
        self.ticket: Ticket | None = None
        self.is_live = False
        """Set by the flip: from here on the publish has happened, whatever the database says."""
        self.live_at: datetime | None = None
        self.outcome: Outcome | None = None


@asynccontextmanager
async def connections(engine: Engine) -> AsyncIterator[list[Connection]]:
    """All the connections of a publish, or none yet."""
    async with AsyncExitStack() as stack:
        async with engine.gate:
            taken = [await stack.enter_async_context(engine.pool.acquire()) for _ in range(CONNECTIONS)]
        yield list(taken)
