"""Whatever is done to a site, an incremental release is what a full one would be."""

import os
import random
import time
from collections.abc import Collection, Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from app.campaigns.published import Campaigns, Listing
from app.publishing.kinds import Changes, Content
from tests.conftest import Database
from tests.publishing.machine import Differs, SiteMachine, Stage, staged

SECONDS = 300 if os.environ.get("CI") == "true" else 20
ROUND = settings(
    max_examples=8,
    stateful_step_count=40,
    deadline=None,
    derandomize=False,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    with staged(database) as made:
        yield made


def play(stage: Stage, seed: int, rules: settings) -> None:
    """One round. What fails is told with its steps; the seed plays the same round again."""
    machine = hypothesis.seed(seed)(SiteMachine.on(stage))
    try:
        run_state_machine_as_test(machine, settings=rules)
    except Exception as error:
        error.add_note(f"The seed of this round is {seed}.")
        raise


@pytest.mark.timeout(SECONDS + 600)
def test_incremental_equals_full_whatever_is_done(stage: Stage) -> None:
    """Rounds with new seeds as long as there is time; a failure takes longer, to find its fewest steps."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        play(stage, random.SystemRandom().randrange(2**32), ROUND)
    assert stage.published > 10


@pytest.mark.parametrize(("kind", "table"), [(Listing, "campaigns"), (Campaigns, "content_blocks")])
@pytest.mark.timeout(600)
def test_the_control_a_kind_that_is_blind_for_a_table_is_found_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: type[Listing | Campaigns], table: str
) -> None:
    sees = kind.touched

    async def is_blind(self: Any, content: Content, changes: Changes) -> Collection[str]:
        rows = [change for change in changes.rows if change.table != table]
        return await sees(self, content, Changes(rows, since=changes.since))

    monkeypatch.setattr(kind, "touched", is_blind)
    with pytest.raises(Differs):
        play(stage, 1, settings(ROUND, max_examples=100, phases=[Phase.generate]))
