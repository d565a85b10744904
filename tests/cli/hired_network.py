"""A task of one app on a development network, by its commands: the Superlink that serves it, and Supernodes that join."""

from dataclasses import dataclass
from pathlib import Path

from dao.chain.signer import Signer
from dao.core.types import hex_of
from dao.devnet.anvil import dev_signer
from tests.cli.conftest import Devnet

PASSWORD = "canary"
PERIODS = {"commit": 120, "reveal": 60, "result": 120, "challenge": 2, "resolve": 30}


@dataclass(frozen=True)
class Hired:
    """The task, and what its commands need; `folder` has the shards, each node's rows, and all that they write."""

    devnet: Devnet
    folder: Path
    python: Path
    task: int
    app: str  # its digest
    card: str

    @property
    def start(self) -> tuple[object, ...]:
        """The command of the Superlink."""
        return (
            *("superlink", "start", "--home", self.folder / "superlink", "--task", self.task),
            *("--shards", self.folder / "shards", "--store", self.folder / "store"),
            *("--listen", "127.0.0.1:0", "--app-python", self.python),
        )

    def join(self, name: str, address: str) -> Path:
        """Have a node join with its rows, and return its home."""
        dao, home, folder = self.devnet.dao, self.folder / f"node-{name}", self.folder
        password, key = folder / f"password-{name}", folder / f"owner-{name}.json"
        password.touch(0o600)
        password.write_text(PASSWORD)
        owner = Signer.create(key, PASSWORD, work=4096)
        deployment = self.devnet.home / "deployment.json"
        dao.run("node", "init", "--home", home, "--rpc", self.devnet.rpc, "--deployment", deployment)
        dao.run("devnet", "fund", hex_of(owner.address), "--home", self.devnet.home, "--tokens", 10)
        owned = ("--owner-keystore", key, "--owner-password-file", password, "--home", home)
        dao.run("node", "register", *owned, "--stake", 10)
        dao.run(
            *("node", "join", self.task, "--data", folder / f"{name}.csv", "--superlink", address),
            *("--approve", self.app, "--approve", self.card, "--app-python", self.python, *owned),
        )
        return home


def hire(devnet: Devnet, folder: Path, app: Path, python: Path, *, rounds: int, quorum: int) -> Hired:
    """Register a Superlink and create a task of an app, whose shards are in the folder."""
    dao, home = devnet.dao, folder / "superlink"
    deployment = devnet.home / "deployment.json"
    made = dao.json("superlink", "init", "--home", home, "--rpc", devnet.rpc, "--deployment", deployment)
    dao.run("devnet", "fund", made["operator"], "--home", devnet.home, "--tokens", 0)
    dao.run("devnet", "fund", hex_of(dev_signer(1).address), "--home", devnet.home)
    dao.run("superlink", "register", "--home", home, "--dev-account", 1, "--stake", "500")
    task = dao.json(
        *("task", "create", "--app", app, "--shards", folder / "shards", "--app-python", python),
        *("--superlink-operator", made["operator"], "--content-folder", folder / "store", "--dev-account", 0),
        *("--fund-rounds", rounds, "--quorum", quorum),
        *(word for name, seconds in PERIODS.items() for word in (f"--{name}-period", seconds)),
        *devnet.network,
    )
    return Hired(devnet, folder, python, task["task"], task["app"], task["card"])
