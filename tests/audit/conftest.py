"""A round that waits for a Superlink to cheat."""

import pytest
import pytest_asyncio

from dao.app.gradient_client import GradientClient
from tests.aggregator.assignment import Assignment
from tests.audit.stage import Stage
from tests.support import Network


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(
    network: Network,
    assignment: Assignment,
    evaluator: GradientClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stage:
    return await Stage.make(network, assignment, evaluator, tmp_path_factory.mktemp("stage"))
