"""Tests of arithmetic on chunks are run twice: with the loops for small models, and with those for large ones."""

from importlib import import_module

import pytest

LOOPED = {"aggregate", "arithmetic", "gradient", "merkle", "score", "update", "vectors", "weigh"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition("test_")[2] in LOOPED:
        metafunc.parametrize("loops", ["plain", "compiled"], indirect=True)


@pytest.fixture(autouse=True)
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose the loops that models of any size get."""
    is_compiled = getattr(request, "param", "plain") == "compiled"
    if is_compiled:
        import_module(
            "dao.core.engine.numba_backend"
        )  # compiles for seconds the first time, which is no test's time
    monkeypatch.setattr("dao.core.engine.backend.COMPILED_FROM", 0 if is_compiled else 1 << 40)
