"""Whatever is done to a site, an incremental release is what a full one would be."""

import os
import random
import time
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import Database
from tests.publishing.machine import Differs, SiteMachine, Stage, staged

SECONDS = 300 if os.environ.get("CI") == "true" else int(os.environ.get("MSEC", 20))
ROUND = settings(
    max_examples=8,
    stateful_step_count=40,
    deadline=None,
    derandomize=False,
    database=None,
    print_blob=True, phases=[Phase.generate] if os.environ.get("NOSHRINK") else tuple(Phase),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    with staged(database) as made:
        yield made


def play(stage: Stage, seed: int, rules: settings) -> None:
    """One round. What fails is told with its steps; the seed plays the same round again."""
    print(f"seed {seed}")
    machine = hypothesis.seed(seed)(SiteMachine.on(stage))
    run_state_machine_as_test(machine, settings=rules)


@pytest.mark.timeout(SECONDS + 600)
def test_incremental_equals_full_whatever_is_done(stage: Stage) -> None:
    """Rounds with new seeds for as long as there is time; a failure may take longer, to find its fewest steps."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        play(stage, random.SystemRandom().randrange(2**32), ROUND)
    print("published", stage.published)
    assert stage.published > 10
