import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dao.app.gradient_client import GradientClient
from tests.byzantine.arena import APP, Arena


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["even", "skewed"])
async def arena(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Arena]:
    folder = tmp_path_factory.mktemp("arena")
    evaluator = GradientClient(APP, Path(sys.executable), folder / "evaluator", limit=60, threads=1)
    await evaluator.start()
    try:
        yield Arena(evaluator, folder, skewed=request.param == "skewed")
    finally:
        await evaluator.stop()
