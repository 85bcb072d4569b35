"""The jobs that follow a flip, over what they work with."""

from app.jobs.handlers import AnyHandler
from app.kit.clock import Clock, system_clock
from app.publishing.afterwards.calls import Calls, Patience
from app.publishing.afterwards.purge import Purging
from app.publishing.afterwards.sample import Sampling, Waits
from app.publishing.afterwards.urls import open_purger
from app.storage.facade import AsyncStore


def afterwards_handlers(
    store: AsyncStore,
    purge_url: str | None,
    *,
    clock: Clock = system_clock,
    patience: Patience | None = None,
    waits: Waits | None = None,
) -> tuple[AnyHandler, ...]:
    """Raises ConfigurationError when nothing can be made of `purge_url`."""
    calls = Calls(patience)
    purging = Purging(store=store, purger=open_purger(purge_url, calls, clock), clock=clock)
    sampling = Sampling(store=store, calls=calls, clock=clock, waits=waits or Waits())
    return purging.handler(), sampling.handler()
