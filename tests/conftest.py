"""Fixtures for every part: a chain, a network on it, and a task to train there with one warm evaluator."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

from dao.app.gradient_client import GradientClient
from dao.app.process import AppProcess
from dao.devnet.anvil import Anvil, running_anvil
from tests.aggregator.assignment import Assignment
from tests.app.environments import install, make_environment
from tests.forked_apps import WORKERS, open_door, replace_command_line
from tests.support import Network, deploy_network

# a machine with much to do is no failure
settings.register_profile("patient", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("patient")

# the apps of tests are ours: a machine without a sandbox runs all tests but those of the sandbox itself
os.environ.setdefault("COMMONWEIGHT_SANDBOX__MODE", "auto")

# a shell's background job has Ctrl-C ignored, and so would have every daemon that a test starts
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """A chain for the module's tests; each transaction is mined at once, and no block without one."""
    with running_anvil(tmp_path_factory.mktemp("anvil")) as running:
        yield running


@pytest.fixture(scope="session")
def flower_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with Flower, torch and scikit-learn: what Flower apps bring."""
    python = make_environment(tmp_path_factory.mktemp("flower") / "env", "torch", "scikit-learn", "pytest")
    if missing := install(python, "flwr>=1.28"):
        pytest.skip(f"no package index to have flwr of: {missing[-300:]}")
    return python


@pytest.fixture(scope="module")
def network(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """The contracts on that chain: tests add tasks and members of their own."""
    return deploy_network(anvil, tmp_path_factory.mktemp("network"))


@pytest.fixture
def own_network(tmp_path: Path) -> Iterator[Network]:
    """A network for one test, which may stop, reorganise or rewind its chain."""
    with running_anvil(tmp_path / "anvil") as running:
        yield deploy_network(running, tmp_path / "network")


@pytest.fixture
def busy_network(tmp_path: Path) -> Iterator[Network]:
    """A network whose chain has a block each second, also where nobody sends."""
    with running_anvil(tmp_path / "anvil", block_time=1) as running:
        yield deploy_network(running, tmp_path / "network")


@pytest.fixture(scope="session")
def assignment(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    """The content of the task that tests of rounds and audits play."""
    return Assignment.make(tmp_path_factory.mktemp("assignment") / "task")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def evaluator(
    assignment: Assignment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[GradientClient]:
    """One warm process of its app for all of them: torch takes seconds to import."""
    made = GradientClient(
        assignment.app, Path(sys.executable), tmp_path_factory.mktemp("evaluator"), limit=60, threads=1
    )
    yield made
    await made.stop()


@pytest.fixture(scope="session")
def torch_door() -> Iterator[str]:
    """The socket of a process that forks those of apps."""
    with open_door() as door:
        yield door


@pytest.fixture
def forked_apps(torch_door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process of an app is a fork that has torch: for tests of many apps, whatever runs them."""
    monkeypatch.setattr(AppProcess, "_make_command_line", replace_command_line(torch_door, *WORKERS))
