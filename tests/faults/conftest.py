"""The large site, also for faults of several machines."""

from tests.publishing.conftest import large, live

__all__ = ["large", "live"]
