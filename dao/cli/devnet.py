"""`dao devnet`: run a chain of one's own with the contracts on it, and fund accounts there."""

import asyncio
import json
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dao.chain.client import Chain
from dao.chain.deploy import Params, deploy, grant
from dao.chain.deployment import Deployment
from dao.chain.sender import Sender
from dao.cli.chain_options import ChainOptions, PayingAccount, absolute, account_folder, open_sender
from dao.cli.options import own_home
from dao.cli.output import parse_tokens
from dao.core.formats.address import address_of
from dao.core.types import Address, hex_of
from dao.devnet.anvil import SWIFT, Anvil, dev_signer, leave_to_founders, start_anvil
from dao.errors import ConfigError, DaoError, RpcError
from dao.runtime.config import DEVNET
from dao.runtime.locks import find_holder, hold_lock, stop_holder

app = typer.Typer(no_args_is_help=True)
READY_SECONDS, PORT = 60.0, 8545

HomeOption = Annotated[Path, own_home()]


@app.command()
def up(
    home: HomeOption = DEVNET,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the chain; 0: any free one. The default is the last one, at first 8545.",
        ),
    ] = None,
    block_time: Annotated[int, typer.Option(min=1, help="Seconds between blocks without transactions.")] = 1,
    detach: Annotated[bool, typer.Option(help="Run in the background until `dao devnet down`.")] = False,
    governed: Annotated[
        bool, typer.Option(help="Hand a new network over to votes; accounts 1 to 3 get 1000 tokens each.")
    ] = False,
) -> None:
    """Start a chain with the contracts on it, or resume the one that is in HOME. Ctrl-C ends it; its state is kept.

    Writes HOME/deployment.json and HOME/network.json. Account 0 (--dev-account 0) proposes for the DAO, unless the
    network is governed. Its keys are public: nothing of worth belongs here.

    Example: dao devnet up --detach
    """
    home = absolute(home)
    home.mkdir(parents=True, exist_ok=True)
    port = _last_port(home) if port is None else port
    if detach:
        _detach(home, port, block_time, governed)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with hold_lock(home / "lock", f"devnet {home}"):
            _run(home, port, block_time, governed)
    except KeyboardInterrupt:
        return


@app.command()
def down(home: HomeOption = DEVNET) -> None:
    """End the chain that runs in HOME; `up` resumes it.

    Example: dao devnet down
    """
    home = absolute(home)
    ended = stop_holder(home / "lock", f"devnet {home}")
    print(f"devnet {home}: {'ended' if ended else 'was not running'}")


@app.command()
def fund(
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS…", help="Accounts, 0x and 40 digits each.")
    ],
    home: HomeOption = DEVNET,
    tokens_each: Annotated[
        str, typer.Option("--tokens", help="Tokens that each is sent by the DAO.")
    ] = "1000",
    ether: Annotated[str, typer.Option(help="Ether for gas that each has afterwards.")] = "10",
) -> None:
    """Give accounts tokens and gas money on the development network.

    Example: dao devnet fund 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 --tokens 500
    """
    accounts = [address_of(text, "ADDRESS") for text in addresses]
    wei, gas = parse_tokens(tokens_each, "--tokens"), parse_tokens(ether, "--ether")
    asyncio.run(_fund(absolute(home), accounts, wei, gas))
    for account in accounts:
        print(f"{hex_of(account)}  {tokens_each} tokens more, {ether} ether")


def read_network(home: Path) -> dict[str, Any]:
    """Read what `up` wrote to HOME/network.json; ConfigError when it is not running."""
    path = home / "network.json"
    if find_holder(home / "lock") is None or not path.exists():
        raise ConfigError(f"devnet {home}: is not running; start it by dao devnet up")
    network: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return network


def _run(home: Path, port: int, block_time: int, governed: bool) -> None:
    """Run the chain until it, or this process, is ended."""
    chain = home / "chain"
    anvil = start_anvil(chain, port, state=chain / "state.json", block_time=block_time)
    try:
        deployment = asyncio.run(_ensure_contracts(anvil, home, governed))
        network = {
            "rpc": anvil.ws,
            "http": anvil.http,
            "chain_id": deployment.chain_id,
            "deployment": str(home / "deployment.json"),
        }
        _write(home / "port", anvil.ws.rpartition(":")[2])
        _write(home / "network.json", json.dumps(network, indent=2) + "\n")
        print(
            f"devnet ready at {anvil.ws} (chain {deployment.chain_id}), contracts in {home / 'deployment.json'}"
        )
        sys.stdout.flush()
        anvil.process.wait()
        raise RpcError(f"devnet {home}: the chain ended by itself; see {chain / 'anvil.log'}")
    finally:
        (home / "network.json").unlink(missing_ok=True)
        anvil.stop()


def _last_port(home: Path) -> int:
    """Return the port that the chain in HOME had, which nodes have in their settings."""
    try:
        return int((home / "port").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return PORT


async def _ensure_contracts(anvil: Anvil, home: Path, governed: bool) -> Deployment:
    """Return the contracts in the chain's state, and deploy them where there are none."""
    path = home / "deployment.json"
    if path.exists():
        deployment = Deployment.load(path)
        async with await Chain.connect(anvil.ws) as chain:
            code = await chain.request("eth_getCode", hex_of(deployment.coordinator), "latest")
        if code not in ("0x", None):
            return deployment
    signer = dev_signer(0)
    database = account_folder(path, signer.address) / "transactions.db"
    deployment = await deploy(anvil.ws, signer, SWIFT if governed else Params(), database)
    if governed:
        async with (
            await Chain.connect(anvil.ws, deployment) as chain,
            Sender(chain, signer, database) as sender,
        ):
            await leave_to_founders(chain, sender)
    deployment.save(path)
    return deployment


async def _fund(home: Path, accounts: list[Address], wei: int, gas: int) -> None:
    network = read_network(home)
    options = ChainOptions(network["rpc"], Path(network["deployment"]))
    async with open_sender(options, PayingAccount(dev_account=0)) as (chain, sender):
        for account in accounts:
            await chain.request("anvil_setBalance", hex_of(account), hex(gas))
        if wei:
            await grant(chain, sender, dict.fromkeys(accounts, wei))  # type: ignore[arg-type]


def _detach(home: Path, port: int, block_time: int, governed: bool) -> None:
    """Run `up` in a process of its own, and return once it is ready."""
    arguments = ["devnet", "up", "--home", str(home), "--port", str(port), "--block-time", str(block_time)]
    arguments += ["--governed"] if governed else []
    program = "from dao.cli import main; main()"
    with (home / "devnet.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101  (it is a pipe)
    with process.stdout:
        readable, _, _ = select.select([process.stdout], [], [], READY_SECONDS)
        line = process.stdout.readline().decode() if readable else ""
    if line:
        print(line, end="")
        return
    if readable:
        process.wait(READY_SECONDS)
    else:
        process.terminate()
    words = (home / "devnet.log").read_text(encoding="utf-8", errors="replace").strip().removeprefix("dao: ")
    raise DaoError(
        words[-500:] or f"devnet {home}: not ready in {READY_SECONDS:.0f} s; see {home / 'devnet.log'}"
    )


def _write(path: Path, text: str) -> None:
    """Write a file atomically: readers see all of it or nothing."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
