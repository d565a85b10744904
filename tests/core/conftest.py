"""Every test of the core, with small models' loops and with large ones'."""

from importlib import import_module

import pytest


@pytest.fixture(autouse=True, params=["plain", "compiled"])
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose the loops that models of any size get."""
    if request.param == "compiled":
        import_module("dao.core.compiled")  # compiles for seconds the first time, which is no test's time
    monkeypatch.setattr("dao.core.loops.COMPILED_FROM", 0 if request.param == "compiled" else 1 << 40)
