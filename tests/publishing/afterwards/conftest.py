"""A local service and short patience."""

from collections.abc import Iterator

import pytest

from app.publishing.afterwards.calls import Calls, Patience
from tests.publishing.afterwards.service import Service, running_service

SHORT = Patience(attempts=3, first_pause=0.01, longest_pause=0.05, connect=2, read=0.5, total=5)


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running


@pytest.fixture
def calls() -> Calls:
    return Calls(SHORT)
