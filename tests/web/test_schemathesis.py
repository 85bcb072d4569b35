"""Every operation of the OpenAPI document under generated input, over a real server."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.conftest import Database
from tests.web.server import serving
from tests.web.world import two_sites

EXAMPLES = 25
OPERATIONS = ["get_site", "get_homepage", "list_campaigns", "get_campaign", "echo", "nothing", "named"]
WITH_PARAMETERS = ["list_campaigns", "echo", "named"]
"""Those for which input can be generated that breaks the document."""


@pytest.fixture(scope="module")
def schema(shared_database: Database) -> Iterator[Any]:
    anyio.run(two_sites, shared_database.url())
    with serving(shared_database.url()) as port:
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/api/v1/schema/openapi.json")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_valid_input_breaks_no_promise(schema: Any, operation: str) -> None:
    _try(schema, operation, GenerationMode.POSITIVE)


@pytest.mark.parametrize("operation", WITH_PARAMETERS)
def test_invalid_input_is_refused_as_promised(schema: Any, operation: str) -> None:
    _try(schema, operation, GenerationMode.NEGATIVE)


def _try(schema: Any, operation: str, mode: GenerationMode) -> None:
    """JSON Schema cannot say which cursors are signed, nor that no number has more than 64 bits."""
    strategy = schema.find_operation_by_id(operation).as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def check(case: Any) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()
