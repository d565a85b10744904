"""`dao superlink`: run the aggregator of a task."""

import asyncio
import json as jsons
from pathlib import Path
from typing import Annotated, Any

import typer

from dao.chain.contracts import Coordinator, Registry
from dao.chain.deployment import Deployment
from dao.chain.signer import Signer
from dao.cli import options
from dao.cli.chain_options import RPC_DEFAULT, ChainOptions, OwnerAccount, absolute, open_chain
from dao.cli.option_groups import with_option_groups
from dao.cli.options import (
    AmountOption,
    AppPythonOption,
    CopiedDeploymentOption,
    IpfsOption,
    JsonOption,
    LastOption,
    RpcOption,
    StoreOption,
)
from dao.cli.output import log_to_stderr, parse_tokens, print_fields, print_json
from dao.cli.serving import SuperlinkSettings, operator, serve, until_told
from dao.core.errors import ConfigError, DaoError
from dao.core.reasons import in_tokens
from dao.core.types import TaskId, Wei, hex_of
from dao.gov.schedule import format_time
from dao.runtime.config import FILE, default_home
from dao.runtime.running import holder
from node.settings import NodeSettings

app = typer.Typer(no_args_is_help=True)
TAIL = 256 << 10  # bytes of the status file that are looked at

HomeOption = Annotated[Path | None, options.home("superlink")]


@app.command()
def init(
    home: HomeOption = None,
    rpc: RpcOption = RPC_DEFAULT,
    deployment: CopiedDeploymentOption = None,
    json: JsonOption = False,
) -> None:
    """Make the Superlink's folder: a new operator key with a password, both for this user only, and config.toml.

    Example: dao superlink init --rpc ws://127.0.0.1:8545 --deployment deployment.json
    """
    from node import commands

    folder = _home(home)
    if (folder / FILE).exists():
        raise ConfigError(f"{folder}: already is a daemon's folder; choose another one by --home")
    address = commands.init(folder, rpc, deployment)
    if json:
        print_json({"operator": hex_of(address), "home": str(folder)})
        return
    print(f"operator {hex_of(address)} in {folder}")
    print("next: a task that names this operator, gas for it, dao superlink register, dao superlink start")


@app.command()
@with_option_groups
def register(stake: Annotated[str, options.stake()], *, owner: OwnerAccount, home: HomeOption = None) -> None:
    """Stake an owner's tokens behind this Superlink, as the bond that its task asks for; a second time adds to it.

    Example: dao superlink register --owner-keystore owner.json --owner-password-file owner.password --stake 500
    """
    from node import commands

    wei = parse_tokens(stake, "--stake", or_none=False)
    settings, signer = _open_owner(home, owner)
    total = asyncio.run(commands.register(settings, signer, wei))
    print(f"stake {in_tokens(total)} tokens behind this Superlink, owner {hex_of(signer.address)}")


@app.command()
@with_option_groups
def unbond(amount: AmountOption = None, *, owner: OwnerAccount, home: HomeOption = None) -> None:
    """Begin to take the bond out, all of it by default; with less than its task asks for, the Superlink opens no more rounds.

    Example: dao superlink unbond --owner-keystore owner.json --owner-password-file owner.password
    """
    from node import commands

    wei = None if amount is None else parse_tokens(amount, "--amount", or_none=False)
    settings, signer = _open_owner(home, owner)
    until = asyncio.run(commands.unbond(settings, signer, wei))
    print(f"unbonding until block time {until}, {format_time(until)}; then: dao superlink withdraw")


@app.command()
@with_option_groups
def withdraw(owner: OwnerAccount, *, home: HomeOption = None) -> None:
    """Send the released bond to its owner, who pays the gas.

    Example: dao superlink withdraw --owner-keystore owner.json --owner-password-file owner.password
    """
    from node import commands

    settings, signer = _open_owner(home, owner)
    print(f"{in_tokens(asyncio.run(commands.withdraw(settings, signer)))} tokens sent to the owner")


@app.command()
def start(
    home: HomeOption = None,
    task: Annotated[int | None, typer.Option(min=1, help="The task to serve.")] = None,
    shards: Annotated[Path | None, options.SHARDS] = None,
    rounds: Annotated[int | None, options.rounds("until the task is over")] = None,
    leave: Annotated[
        bool,
        typer.Option(
            "--leave", help="End when the rounds are final, rather than go on serving their content."
        ),
    ] = False,
    listen: Annotated[str | None, options.listen("127.0.0.1:8600")] = None,
    store: StoreOption = None,
    ipfs: IpfsOption = None,
    app_python: AppPythonOption = None,
) -> None:
    """Run the Superlink until Ctrl-C or SIGTERM: it prints its address once it serves, and logs to stderr.

    Each option can also stand in HOME/config.toml. What happens is written to HOME/status.jsonl, a line each.

    Example: dao superlink start --task 1 --shards shards --listen 0.0.0.0:8600
    """
    settings = _settings(
        home,
        task=task,
        shards=shards and absolute(shards),
        rounds=rounds,
        listen=listen,
        stores=tuple(absolute(folder) for folder in store) if store else None,
        app_python=app_python and absolute(app_python),
        content={"ipfs": ipfs} if ipfs else None,
    )
    log_to_stderr()
    asyncio.run(until_told(serve(settings, leave=leave)))


@app.command()
def status(
    home: HomeOption = None,
    last: LastOption = 10,
    json: JsonOption = False,
) -> None:
    """Show whether it runs, its bond and task on chain, and its newest events.

    Example: dao superlink status --last 20
    """
    settings = _settings(home)
    events = _events(settings.home / "status.jsonl")
    process = holder(settings.home / "lock")
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
    network = ChainOptions(settings.chain.rpc, settings.at(settings.chain.deployment))
    async with open_chain(network) as chain:
        at, coordinator = chain.final(), Coordinator(chain)
        held = await Registry(chain).supernode(address, at)
        found: dict[str, object] = {"operator": hex_of(address), "stake": in_tokens(held.active)}
        if task is not None:
            state = await coordinator.task_of(TaskId(task), at)
            round_ = await coordinator.round_of(TaskId(task), state.last_round, at)
            bond = (await coordinator.rules_of(TaskId(task), at)).superlink_bond
            found |= {"bond": in_tokens(bond), "round": state.last_round, "phase": round_.phase.name.lower()}
        gas = int(await chain.request("eth_getBalance", hex_of(address), "latest"), 16)
        return found | {"gas_money": in_tokens(Wei(gas))}


def _events(path: Path) -> list[dict[str, Any]]:
    """The newest events of a status file, oldest first."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        lines = file.read().splitlines()[1 if size > TAIL else 0 :]
    return [jsons.loads(line) for line in lines if line.endswith(b"}")]


def _open_owner(home: Path | None, owner: OwnerAccount) -> tuple[NodeSettings, Signer]:
    """Return the settings, as staking takes them, and the owner's key."""
    settings = _settings(home)
    network = Deployment.load(settings.at(settings.chain.deployment))
    signer = owner.signer(network.chain_id)
    return NodeSettings.model_construct(home=settings.home, chain=settings.chain, key=settings.key), signer


def _home(home: Path | None) -> Path:
    return absolute(home or default_home("superlink"))


def _settings(home: Path | None, **flags: Any) -> SuperlinkSettings:
    folder = _home(home)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; dao superlink init makes one")
    return SuperlinkSettings.load(folder, **flags)
