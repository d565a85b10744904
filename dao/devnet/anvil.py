"""A chain of one's own: Anvil on a free port of loopback, with funded accounts, for development and tests."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from dao.chain.client import Chain
from dao.chain.deploy import TOKEN, Params, grant
from dao.chain.handover import hand_over
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.types import Address, Wei, hex_of
from dao.errors import ConfigError, RpcError

# Publicly known: anything sent to these accounts on another chain is lost.
MNEMONIC = "test test test test test test test test test test test junk"
CHAIN_ID = 31337
FOUNDERS = (1, 2, 3)  # accounts that hold tokens where a network of development is governed
FOUNDER_WEI = Wei(1000 * TOKEN)
SWIFT = Params(voting_delay=5, voting_period=60, late_extension=15)  # seconds, where real networks take days
START_SECONDS = 20.0
STOP_SECONDS = 10.0
# Anvil does not end with the process that started it: a shell waits for our end of a pipe to close, for any reason.
WATCHED = '"$0" "$@" & p=$!; exec 3<&0; (read -r _ <&3; kill $p) & wait $p'


@cache
def dev_signer(index: int) -> Signer:
    """Return the funded account number `index` of every Anvil here."""
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return Signer(bytes(account.key))


async def leave_to_founders(chain: Chain, sender: Sender) -> None:
    """Give the founders their tokens, and the network to their votes: the deployer keeps nothing."""
    await grant(chain, sender, {dev_signer(index).address: FOUNDER_WEI for index in FOUNDERS}, "founders")
    await hand_over(chain, sender)


def find_anvil() -> Path:
    """Return the `anvil` program: the one on the PATH, or the one that script/setup installed.

    Raises ConfigError when there is none.
    """
    if program := shutil.which("anvil"):
        return Path(program)
    modules = Path(__file__).parents[2] / "node_modules" / "@foundry-rs"
    installed = sorted(modules.glob("anvil-*/bin/anvil*"))
    if installed:
        return installed[0]
    raise ConfigError("anvil: not on the PATH; run script/setup, or install Foundry (getfoundry.sh)")


@dataclass(frozen=True, slots=True)
class Anvil:
    """A running chain; `stop` ends it."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def ws(self) -> str:
        """Its WebSocket address."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        """Its HTTP address."""
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, *params: object) -> Any:
        """Send a request, such as `evm_mine` or `anvil_reorg`; RpcError when it is refused."""
        answer = _ask(self.port, method, params)
        if "error" in answer:
            raise RpcError(f"anvil: {method}: {answer['error'].get('message')}")
        return answer["result"]

    def fund(self, account: Address, balance: Wei) -> None:
        """Give an account this balance for gas."""
        self.request("anvil_setBalance", hex_of(account), hex(balance))

    def stop(self) -> None:
        """End it and wait for its end; its state is saved where it has a file for it."""
        self._close_pipe()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()


def start_anvil(
    folder: Path,
    port: int = 0,
    *,
    state: Path | None = None,
    block_time: int | None = None,
    mine: bool = True,
    accounts: int = 10,
    slots_in_an_epoch: int = 4,
) -> Anvil:
    """Start a chain that ends with this process, on a free port or a given one.

    Each transaction is mined at once, unless `mine` is False (then by `evm_mine`); with `block_time`, a block is
    mined every so many seconds besides, so that block time passes. `state` is a file that the chain starts from and
    saves every second; `folder` is where it logs. Raises ConfigError when there is no Anvil, RpcError when it does
    not start.
    """
    command = [str(find_anvil()), "--quiet", "--port", str(port), "--chain-id", str(CHAIN_ID)]
    command += ["--mnemonic", MNEMONIC, "--accounts", str(accounts)]
    command += ["--slots-in-an-epoch", str(slots_in_an_epoch)]
    if block_time is not None:
        command += ["--block-time", str(block_time), "--mixed-mining"]
    if not mine:
        command += ["--no-mining"]
    if state is not None:
        command += ["--state", str(state), "--state-interval", "1"]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "anvil.log").open("ab") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", WATCHED, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us: we end it
        )
    try:
        anvil = Anvil(_wait_ready(process, folder / "anvil.log", port), process)
        if state is not None:
            _keep_block_time(anvil)
        return anvil
    except BaseException:
        Anvil(port, process).kill()
        raise


def _keep_block_time(anvil: Anvil) -> None:
    """Have block time go on from the last block of a state that is ahead of this machine's clock.

    Anvil would go back to that clock: contracts would refuse what was due before, and checkpoints out of order.
    """
    last = anvil.request("eth_getBlockByNumber", "latest", False)
    ahead = int(last["timestamp"], 16) - int(time.time())
    if ahead > 0:
        anvil.request("evm_increaseTime", ahead + 1)


@contextlib.contextmanager
def running_anvil(folder: Path, **options: Any) -> Iterator[Anvil]:
    """`start_anvil` for the length of a block."""
    anvil = start_anvil(folder, **options)
    try:
        yield anvil
    finally:
        anvil.stop()


def _wait_ready(process: "subprocess.Popen[bytes]", log: Path, wanted_port: int) -> int:
    """Return the port once it answers."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for port in _list_ports(process.pid):
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                if int(_ask(port, "eth_chainId", ())["result"], 16) == CHAIN_ID:
                    return port
        time.sleep(0.01)
    words = log.read_text(errors="replace")[-300:]
    hint = f"; is port {wanted_port} free? --port names another one, 0 any" if wanted_port else ""
    raise RpcError(f"anvil: did not start: {words.strip() or 'its log is empty'}{hint}")


def _list_ports(parent: int) -> list[int]:
    try:
        return [
            connection.laddr.port
            for child in psutil.Process(parent).children()
            for connection in child.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
    except psutil.Error:
        return []


def _ask(port: int, method: str, params: tuple[object, ...]) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
