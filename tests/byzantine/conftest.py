import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dao.app.gradient_client import GradientClient
from tests.byzantine.arena import APP, Arena


@pytest.fixture(params=["even", "skewed"])
async def arena(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Arena]:
    evaluator = GradientClient(APP, Path(sys.executable), tmp_path / "evaluator", limit=60, threads=1)
    await evaluator.start()
    try:
        yield Arena(evaluator, tmp_path, skewed=request.param == "skewed")
    finally:
        await evaluator.stop()
