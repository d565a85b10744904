"""`dao superlink`: run the aggregator of a task."""

import asyncio
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from aggregator.settings import SuperlinkSettings
from dao.chain.block_clock import format_time
from dao.chain.daemon_home import load_deployment
from dao.chain.signer import Signer
from dao.cli import options
from dao.cli.chain_options import RPC_DEFAULT, OwnerAccount, absolute
from dao.cli.option_groups import with_option_groups
from dao.cli.options import (
    AppPythonOption,
    CopiedDeploymentOption,
    IpfsOption,
    JsonOption,
    KeepStakeOption,
    LastOption,
    RpcOption,
    StoreOption,
)
from dao.cli.output import log_to_stderr, parse_tokens, print_fields, print_json
from dao.core.formats.address import address_of
from dao.core.formats.reasons import format_tokens
from dao.core.types import RoundId, TaskId, hex_of
from dao.errors import ConfigError
from dao.runtime.config import default_home
from dao.runtime.signals import run_until_signal

app = typer.Typer(no_args_is_help=True)

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
    from aggregator import commands

    folder = _home(home)
    address = commands.init(folder, rpc, deployment)
    if json:
        print_json({"operator": hex_of(address), "home": str(folder)})
        return
    print(f"operator {hex_of(address)} in {folder}")
    print("next: a task that names this operator, gas for it, dao superlink register, dao superlink start")


@app.command()
@with_option_groups
def register(stake: Annotated[str, options.stake()], *, owner: OwnerAccount, home: HomeOption = None) -> None:
    """Stake an owner's tokens behind this Superlink, as the bond that its task asks for, until it has so many in all.

    Example: dao superlink register --owner-keystore owner.json --owner-password-file owner.password --stake 500
    """
    from aggregator import commands

    wei = parse_tokens(stake, "--stake", or_none=False)
    settings, signer = _open_owner(home, owner)
    total = asyncio.run(commands.register(settings, signer, wei))
    print(f"stake {format_tokens(total)} tokens behind this Superlink, owner {hex_of(signer.address)}")


@app.command()
def consent(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Account of the owner to serve.")],
    home: HomeOption = None,
) -> None:
    """Agree to hold an owner's bond in its present operator's place; the owner shows it to dao owner rotate.

    Example: dao superlink consent 0x7099…
    """
    from dao.chain.staking import sign_consent

    operator, signature = sign_consent(_settings(home), address_of(owner, "OWNER"))
    print(f"{hex_of(operator)} {hex_of(signature)}")


@app.command()
@with_option_groups
def unbond(*, keep_stake: KeepStakeOption = "0", owner: OwnerAccount, home: HomeOption = None) -> None:
    """Begin to take the bond out, all but what is to be kept; with less than its task asks for, no more rounds are opened.

    Example: dao superlink unbond --owner-keystore owner.json --owner-password-file owner.password
    """
    from aggregator import commands

    keep = parse_tokens(keep_stake, "--keep-stake")
    settings, signer = _open_owner(home, owner)
    until = asyncio.run(commands.unbond(settings, signer, keep))
    print(f"unbonding until block time {until}, {format_time(until)}; then: dao superlink withdraw")


@app.command()
@with_option_groups
def withdraw(owner: OwnerAccount, *, home: HomeOption = None) -> None:
    """Send the released bond to its owner, who pays the gas.

    Example: dao superlink withdraw --owner-keystore owner.json --owner-password-file owner.password
    """
    from aggregator import commands

    settings, signer = _open_owner(home, owner)
    print(f"{format_tokens(asyncio.run(commands.withdraw(settings, signer)))} tokens sent to the owner")


@app.command()
def concede(
    task: options.TaskArgument,
    round_id: Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.")],
    home: HomeOption = None,
) -> None:
    """Take a result of this Superlink back that is wrong: the round is void, and the bond is kept.

    In time: before a proof that somebody has announced is shown. Stop the daemon first, for it uses the same key.

    Example: dao superlink concede 1 7
    """
    from aggregator import commands

    asyncio.run(commands.concede(_settings(home), TaskId(task), RoundId(round_id)))
    print(f"task {task} round {round_id} is void; the next round starts from the model before it")


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
    from aggregator.daemon import run_superlink

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
    say = partial(print, flush=True)
    asyncio.run(run_until_signal(run_superlink(settings, leave=leave, say=say)))


@app.command()
def status(
    home: HomeOption = None,
    last: LastOption = 10,
    json: JsonOption = False,
) -> None:
    """Show whether it runs, its bond and task on chain, whom its round waits for, and its newest events.

    Example: dao superlink status --last 20
    """
    from aggregator.status import read_status

    found = asyncio.run(read_status(_settings(home), last))
    if json:
        awaited = [asdict(member) for member in found.awaited]
        print_json({**found.fields, "awaited": awaited, "events": found.events})
        return
    print_fields({name: "-" if value is None else value for name, value in found.fields.items()})
    for member in found.awaited:
        since = format_time(int(member.since))
        print(f"awaits the {member.awaited} of {member.node} since {since}: {member.why}")
    for event in found.events:
        print(" ".join(f"{name}={value}" for name, value in event.items()))


def _open_owner(home: Path | None, owner: OwnerAccount) -> tuple[SuperlinkSettings, Signer]:
    """Return the settings, and the owner's key."""
    settings = _settings(home)
    return settings, owner.signer(load_deployment(settings).chain_id)


def _home(home: Path | None) -> Path:
    return absolute(home or default_home("superlink"))


def _settings(home: Path | None, **flags: Any) -> SuperlinkSettings:
    folder = _home(home)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; dao superlink init makes one")
    return SuperlinkSettings.load(folder, **flags)
