"""What tests of rounds share: the task's content and one warm evaluator."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dao.app.gradient_client import GradientClient
from tests.aggregator.assignment import Assignment


@pytest.fixture(scope="module")
def assignment(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    return Assignment.make(tmp_path_factory.mktemp("assignment") / "task")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def evaluator(
    assignment: Assignment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[GradientClient]:
    """One process for a module: torch takes seconds to import."""
    made = GradientClient(
        assignment.app, Path(sys.executable), tmp_path_factory.mktemp("evaluator"), limit=60, threads=1
    )
    yield made
    await made.stop()
