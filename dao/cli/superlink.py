"""`dao superlink`: run the aggregator of a task."""

import asyncio
import json as jsons
from pathlib import Path
from typing import Annotated, Any

import typer

from dao.chain.contracts import Coordinator, Registry
from dao.chain.deployment import Deployment
from dao.chain.signer import Signer
from dao.cli.chain_options import (
    RPC_DEFAULT,
    ContractsOption,
    DevAccountOption,
    JsonOption,
    Paying,
    UrlOption,
    connected,
    expanded,
)
from dao.cli.output import amount, log_to_stderr, print_fields, print_json, tokens
from dao.cli.serving import SuperlinkSettings, operator, serve
from dao.core.errors import ConfigError, DaoError
from dao.core.types import TaskId, Wei, hex_of
from dao.gov.schedule import moment
from dao.runtime.config import FILE, default_home
from dao.runtime.locks import find_holder
from dao.runtime.signals import run_until_signal
from node.settings import NodeSettings

app = typer.Typer(no_args_is_help=True)
TAIL = 256 << 10  # bytes of the status file that are looked at

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="COMMONWEIGHT_HOME",
        help="The Superlink's folder; ~/.commonweight/superlink by default.",
    ),
]
OwnerOption = Annotated[
    Path | None,
    typer.Option("--owner-keystore", help="The owner's key, kept elsewhere: it holds the stake."),
]
OwnerPasswordOption = Annotated[
    Path | None,
    typer.Option("--owner-password-file", help="Its password; or the variable COMMONWEIGHT_OWNER_PASSWORD."),
]


@app.command()
def init(
    home: HomeOption = None,
    url: UrlOption = RPC_DEFAULT,
    deployment: ContractsOption = None,
    json: JsonOption = False,
) -> None:
    """Make the Superlink's folder: a new operator key with a password, both for this user only, and config.toml.

    Example: dao superlink init --url ws://127.0.0.1:8545 --deployment deployment.json
    """
    from node import commands

    folder = _home(home)
    if (folder / FILE).exists():
        raise ConfigError(f"{folder}: already is a daemon's folder; choose another one by --home")
    address = commands.init(folder, url, deployment)
    if json:
        print_json({"operator": hex_of(address), "home": str(folder)})
        return
    print(f"operator {hex_of(address)} in {folder}")
    print("next: a task that names this operator, gas for it, dao superlink register, dao superlink start")


@app.command()
def register(
    stake: Annotated[str, typer.Option(help="Tokens to stake: the bond that the task asks for.")],
    owner_keystore: OwnerOption = None,
    owner_password_file: OwnerPasswordOption = None,
    dev_account: DevAccountOption = None,
    home: HomeOption = None,
) -> None:
    """Stake an owner's tokens behind this Superlink, as its bond; a second time adds to it.

    Example: dao superlink register --owner-keystore owner.json --owner-password-file owner.password --stake 500
    """
    from node import commands

    wanted = tokens(stake, "--stake", or_none=False)
    settings, owner = _staked(home, owner_keystore, owner_password_file, dev_account)
    held = asyncio.run(commands.register(settings, owner, wanted))
    print(f"stake {amount(held)} tokens behind this Superlink, owner {hex_of(owner.address)}")


@app.command()
def unbond(
    stake: Annotated[
        str | None, typer.Option(help="Tokens to take out of the bond, such as 20; all by default.")
    ] = None,
    owner_keystore: OwnerOption = None,
    owner_password_file: OwnerPasswordOption = None,
    dev_account: DevAccountOption = None,
    home: HomeOption = None,
) -> None:
    """Begin to take the bond out, all of it by default; with less than its task asks for, the Superlink opens no more rounds.

    Example: dao superlink unbond --owner-keystore owner.json --owner-password-file owner.password
    """
    from node import commands

    wanted = None if stake is None else tokens(stake, "--stake", or_none=False)
    settings, owner = _staked(home, owner_keystore, owner_password_file, dev_account)
    until = asyncio.run(commands.unbond(settings, owner, wanted))
    print(f"unbonding until block time {until}, {moment(until)}; then: dao superlink withdraw")


@app.command()
def withdraw(
    owner_keystore: OwnerOption = None,
    owner_password_file: OwnerPasswordOption = None,
    dev_account: DevAccountOption = None,
    home: HomeOption = None,
) -> None:
    """Send the released bond to its owner, who pays the gas.

    Example: dao superlink withdraw --owner-keystore owner.json --owner-password-file owner.password
    """
    from node import commands

    settings, owner = _staked(home, owner_keystore, owner_password_file, dev_account)
    print(f"{amount(asyncio.run(commands.withdraw(settings, owner)))} tokens sent to the owner")


@app.command()
def start(
    home: HomeOption = None,
    task: Annotated[int | None, typer.Option(min=1, help="The task to serve.")] = None,
    shards: Annotated[Path | None, typer.Option(help="Folder of the task's validation shards.")] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Play so many; without, until the task is over.")
    ] = None,
    leave: Annotated[
        bool,
        typer.Option("--leave", help="End when the rounds are final, rather than serve their content on."),
    ] = False,
    listen: Annotated[
        str | None, typer.Option(help="host:port to serve at; 127.0.0.1:8600 by default.")
    ] = None,
    store: Annotated[
        list[Path] | None, typer.Option(help="Folder of another store to read from; repeatable.")
    ] = None,
    ipfs: Annotated[
        str | None, typer.Option(help="API of an IPFS node: /ip4/127.0.0.1/tcp/5001/http.")
    ] = None,
    app_python: Annotated[Path | None, typer.Option(help="Interpreter of the app's environment.")] = None,
) -> None:
    """Run the Superlink until Ctrl-C or SIGTERM: it prints its address once it serves, and logs to stderr.

    Each option can also stand in HOME/config.toml. What happens is written to HOME/status.jsonl, a line each.

    Example: dao superlink start --task 1 --shards shards --listen 0.0.0.0:8600
    """
    settings = _settings(
        home,
        task=task,
        shards=shards and expanded(shards),
        rounds=rounds,
        listen=listen,
        stores=tuple(expanded(folder) for folder in store) if store else None,
        python=app_python and expanded(app_python),
        content={"kubo": ipfs} if ipfs else None,
    )
    log_to_stderr()
    asyncio.run(run_until_signal(serve(settings, leave=leave)))


@app.command()
def status(
    home: HomeOption = None,
    last: Annotated[int, typer.Option(min=1, max=1000, help="Events to show.")] = 10,
    json: JsonOption = False,
) -> None:
    """Show whether it runs, its bond and task on chain, and what happened last.

    Example: dao superlink status --last 20
    """
    settings = _settings(home)
    events = _events(settings.home / "status.jsonl")
    process = find_holder(settings.home / "lock")
    serving = next((event for event in reversed(events) if event["event"] == "serving"), None)
    fields: dict[str, object] = {
        "running": process is not None,
        "address": serving["address"] if serving and process is not None else None,
        "task": settings.task or (serving and serving["task"]),
    }
    try:
        fields |= asyncio.run(_on_chain(settings, fields["task"]))
    except DaoError as error:
        fields["trouble"] = str(error)
    if json:
        print_json({**fields, "events": events[-last:]})
        return
    print_fields({name: "-" if value is None else value for name, value in fields.items()})
    for event in events[-last:]:
        print(" ".join(f"{name}={value}" for name, value in event.items()))


async def _on_chain(settings: SuperlinkSettings, task: Any) -> dict[str, object]:
    """What the chain says of the operator and its task."""
    address = operator(settings).address
    async with connected(settings.chain.url, settings.at(settings.chain.deployment)) as chain:
        at, coordinator = chain.final(), Coordinator(chain)
        held = await Registry(chain).supernode(address, at)
        found: dict[str, object] = {"operator": hex_of(address), "stake": amount(held.active)}
        if task is not None:
            state = await coordinator.task_of(TaskId(task), at)
            round_ = await coordinator.round_of(TaskId(task), state.last_round, at)
            bond = (await coordinator.rules_of(TaskId(task), at)).superlink_bond
            found |= {"bond": amount(bond), "round": state.last_round, "phase": round_.phase.name.lower()}
        gas = int(await chain.request("eth_getBalance", hex_of(address), "latest"), 16)
        return found | {"gas_money": amount(Wei(gas))}


def _events(path: Path) -> list[dict[str, Any]]:
    """The newest events of a status file, oldest first."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        lines = file.read().splitlines()[1 if size > TAIL else 0 :]
    return [jsons.loads(line) for line in lines if line.endswith(b"}")]


def _staked(
    home: Path | None, keystore: Path | None, password_file: Path | None, dev_account: int | None
) -> tuple[NodeSettings, Signer]:
    """The settings, as staking takes them, and the owner's key."""
    settings = _settings(home)
    network = Deployment.load(settings.at(settings.chain.deployment))
    owner = Paying(
        keystore, password_file, dev_account, "--owner-keystore", "COMMONWEIGHT_OWNER_PASSWORD"
    ).signer(network.chain_id)
    return NodeSettings.model_construct(home=settings.home, chain=settings.chain, key=settings.key), owner


def _home(home: Path | None) -> Path:
    return expanded(home or default_home("superlink"))


def _settings(home: Path | None, **flags: Any) -> SuperlinkSettings:
    folder = _home(home)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; dao superlink init makes one")
    return SuperlinkSettings.load(folder, **flags)
