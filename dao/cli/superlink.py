"""`dao superlink`: run the aggregator of a task."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from aggregator.settings import SuperlinkSettings
from dao.chain.block_clock import moment
from dao.chain.daemon_home import load_deployment
from dao.chain.signer import Signer
from dao.cli.chain_options import (
    RPC_DEFAULT,
    ContractsOption,
    DevAccountOption,
    JsonOption,
    Paying,
    UrlOption,
    expanded,
)
from dao.cli.output import amount, log_to_stderr, print_fields, print_json, tokens
from dao.core.errors import ConfigError
from dao.core.types import hex_of
from dao.runtime.config import default_home
from dao.runtime.signals import run_until_signal

app = typer.Typer(no_args_is_help=True)

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
    from aggregator import commands

    folder = _home(home)
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
    from aggregator import commands

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
    from aggregator import commands

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
    from aggregator import commands

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
    from aggregator.daemon import run_superlink

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
    say = partial(print, flush=True)
    asyncio.run(run_until_signal(run_superlink(settings, leave=leave, say=say)))


@app.command()
def status(
    home: HomeOption = None,
    last: Annotated[int, typer.Option(min=1, max=1000, help="Events to show.")] = 10,
    json: JsonOption = False,
) -> None:
    """Show whether it runs, its bond and task on chain, and what happened last.

    Example: dao superlink status --last 20
    """
    from aggregator.status import read_status

    found = asyncio.run(read_status(_settings(home), last))
    if json:
        print_json({**found.fields, "events": found.events})
        return
    print_fields({name: "-" if value is None else value for name, value in found.fields.items()})
    for event in found.events:
        print(" ".join(f"{name}={value}" for name, value in event.items()))


def _staked(
    home: Path | None, keystore: Path | None, password_file: Path | None, dev_account: int | None
) -> tuple[SuperlinkSettings, Signer]:
    """The settings, and the owner's key."""
    settings = _settings(home)
    owner = Paying(
        keystore, password_file, dev_account, "--owner-keystore", "COMMONWEIGHT_OWNER_PASSWORD"
    ).signer(load_deployment(settings).chain_id)
    return settings, owner


def _home(home: Path | None) -> Path:
    return expanded(home or default_home("superlink"))


def _settings(home: Path | None, **flags: Any) -> SuperlinkSettings:
    folder = _home(home)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; dao superlink init makes one")
    return SuperlinkSettings.load(folder, **flags)
