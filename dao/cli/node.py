"""`dao node`: run a Supernode beside your own data."""

import asyncio
import json
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dao.chain.block_clock import moment
from dao.chain.signer import Signer
from dao.cli.output import log_to_stderr, tokens
from dao.core.errors import ConfigError
from dao.core.formats.reasons import format_millionths
from dao.core.types import TaskId, Wei, hex_of
from dao.runtime.config import default_home
from dao.wire.grpc_options import check_address
from node.settings import NodeSettings, TaskSettings
from node.status import NodeStatus

T = TypeVar("T")
TOKEN = 10**18
OWNER_PASSWORD = "COMMONWEIGHT_OWNER_PASSWORD"  # noqa: S105  (its name only)

app = typer.Typer(no_args_is_help=True, help="Run a Supernode beside your own data.")
Home = Annotated[
    Path | None,
    typer.Option(envvar="COMMONWEIGHT_HOME", help="The node's folder; ~/.commonweight/node by default."),
]
Keystore = Annotated[
    Path,
    typer.Option("--owner-keystore", help="The owner's key: it holds the stake and is paid. Kept elsewhere."),
]
Payer = Annotated[
    Path | None,
    typer.Option(
        "--owner-keystore", help="The owner's key pays for gas; else the operator's, while no daemon runs."
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--owner-password-file", help=f"Its password; or the variable {OWNER_PASSWORD}."),
]
Task = Annotated[int, typer.Argument(min=1, help="Number of the task.")]
Amount = Annotated[str | None, typer.Option(help="In tokens, such as 100 or 0.5.")]


@app.command()
def init(
    home: Home = None,
    url: Annotated[
        str | None, typer.Option(help="Address of a node of the chain, ws://… or http://….")
    ] = None,
    deployment: Annotated[
        Path | None, typer.Option(help="The network's deployment.json; it is copied.")
    ] = None,
) -> None:
    """Make the node's folder with a new operator key. Example: dao node init --deployment deployment.json."""
    from node import commands

    folder = home or default_home("node")
    address = commands.init(folder, url, deployment)
    typer.echo(f"operator {hex_of(address)} in {folder}")
    typer.echo("next: dao node register --owner-keystore FILE --stake TOKENS, then dao node join TASK …")


@app.command()
def register(
    owner_keystore: Keystore,
    owner_password_file: PasswordFile = None,
    stake: Annotated[
        str | None,
        typer.Option(help="In tokens, such as 100 or 0.5. The first time, without: the network's least."),
    ] = None,
    home: Home = None,
) -> None:
    """Stake the owner's tokens behind this node, more where it has some; --stake may only be left out the first time.

    Example: dao node register --owner-keystore owner.json --stake 100
    """
    from node import commands

    wanted, settings = _wei(stake, "--stake"), _settings(home)
    owner = _owner(owner_keystore, owner_password_file)
    held = _run(commands.register(settings, owner, wanted))
    least = "" if wanted else "; the least that the network takes, as no --stake was given"
    typer.echo(f"stake {_tokens(held)} tokens behind this node, owner {hex_of(owner.address)}{least}")


@app.command()
def join(
    task: Task,
    data: Annotated[Path, typer.Option(help="What the app reads as this node's data. It never leaves.")],
    superlink: Annotated[str, typer.Option(help="Its Superlink, as host:port.")],
    owner_keystore: Keystore,
    owner_password_file: PasswordFile = None,
    tls: Annotated[bool, typer.Option(help="Speak TLS to the Superlink.")] = False,
    authorities: Annotated[
        Path | None, typer.Option(help="PEM file of those trusted for TLS, instead of the usual ones.")
    ] = None,
    python: Annotated[Path | None, typer.Option(help="Interpreter of the app's environment.")] = None,
    home: Home = None,
) -> None:
    """Take part in a task. Example: dao node join 1 --data mine.safetensors --superlink host:8600 --owner-keystore owner.json."""
    from node import commands

    if not data.exists():
        raise ConfigError(f"--data {data}: no such file or folder")
    settings = _settings(home)
    given = TaskSettings(
        data=data.absolute(),
        superlink=check_address(superlink),
        tls=tls or authorities is not None,
        authorities=authorities and authorities.absolute(),
        python=python and python.absolute(),
    )
    _run(commands.join(settings, _owner(owner_keystore, owner_password_file), TaskId(task), given))
    typer.echo(f"joined task {task}; start the node, or restart it: dao node start")


@app.command()
def leave(
    task: Task, owner_keystore: Payer = None, owner_password_file: PasswordFile = None, home: Home = None
) -> None:
    """Take part in a task no longer. Example: dao node leave 1."""
    from node import commands

    _run(commands.leave(_settings(home), TaskId(task), _payer(owner_keystore, owner_password_file)))
    typer.echo(f"left task {task}")


@app.command()
def start(home: Home = None) -> None:
    """Run the node until Ctrl-C or SIGTERM; it logs to stderr. Example: dao node start."""
    from node.daemon import run_node

    log_to_stderr()
    _run(run_node(_settings(home)))


@app.command()
def status(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    last: Annotated[int, typer.Option(min=1, max=1000, help="Rounds to show.")] = 10,
) -> None:
    """Show stake, rewards, and what came of the last rounds and why. Example: dao node status --last 20."""
    from node.status import read_status

    found = _run(read_status(_settings(home), last))
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2))
    else:
        _show(found, Console())


@app.command()
def claim(
    task: Annotated[list[int] | None, typer.Argument(help="Tasks; all of this node's by default.")] = None,
    owner_keystore: Payer = None,
    owner_password_file: PasswordFile = None,
    home: Home = None,
) -> None:
    """Have the owner paid for all finalized rounds. Example: dao node claim --owner-keystore owner.json."""
    from node import commands

    payer = _payer(owner_keystore, owner_password_file)
    for paid in _run(commands.claim(_settings(home), payer, [TaskId(number) for number in task or ()])):
        first = f"; finalized rounds {', '.join(map(str, paid.finalized))} first" if paid.finalized else ""
        done = f"paid {_tokens(paid.paid)} tokens to the owner" if paid.paid else "nothing to claim"
        typer.echo(f"task {paid.task}: {done}{first}")


@app.command()
def unbond(
    owner_keystore: Keystore,
    owner_password_file: PasswordFile = None,
    amount: Amount = None,
    home: Home = None,
) -> None:
    """Begin to take stake out, all of it by default. Example: dao node unbond --owner-keystore owner.json --amount 50."""
    from node import commands

    wanted, settings = _wei(amount, "--amount"), _settings(home)
    owner = _owner(owner_keystore, owner_password_file)
    until = _run(commands.unbond(settings, owner, wanted))
    typer.echo(f"unbonding until block time {until}, {moment(until)}; then: dao node withdraw")


@app.command()
def withdraw(
    owner_keystore: Payer = None, owner_password_file: PasswordFile = None, home: Home = None
) -> None:
    """Send released stake to the owner. Example: dao node withdraw --owner-keystore owner.json."""
    from node import commands

    sent = _run(commands.withdraw(_settings(home), _payer(owner_keystore, owner_password_file)))
    typer.echo(f"{_tokens(sent)} tokens sent to the owner")


def _settings(home: Path | None) -> NodeSettings:
    folder = home or default_home("node")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; dao node init makes one")
    return NodeSettings.load(folder)


def _owner(keystore: Path, password_file: Path | None) -> Signer:
    return Signer.load(keystore, password_file, OWNER_PASSWORD)


def _payer(keystore: Path | None, password_file: Path | None) -> Signer | None:
    return None if keystore is None else _owner(keystore, password_file)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _wei(text: str | None, option: str) -> Wei | None:
    return None if text is None else tokens(text, option, or_none=False)


def _tokens(wei: int) -> str:
    return f"{Decimal(wei) / TOKEN:f}"


def _show(found: NodeStatus, console: Console) -> None:
    console.print(f"operator {found.operator}, {'running' if found.running else 'not running'}")
    if found.trouble:
        console.print(found.trouble, style="red", markup=False, soft_wrap=True)
    else:
        stake = f"stake {_tokens(int(found.stake_wei or 0))} tokens"
        console.print(f"owner {found.owner or 'none yet: dao node register'}, {stake}, block {found.block}")
    for task in found.tasks:
        claimable = "?" if task.claimable_wei is None else _tokens(int(task.claimable_wei))
        joined = {True: "joined", False: "not joined", None: "not known while the chain does not answer"}[
            task.joined
        ]
        trouble = f"; {task.trouble}" if task.trouble else ""
        told = f"task {task.task}: {joined}, {claimable} tokens to claim{trouble}"
        console.print(told, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("task", "round", "step", "status", "score", "reward", "why"):
        table.add_column(
            column,
            justify="right" if column in ("score", "reward") else "left",
            overflow="fold" if column == "why" else "ellipsis",  # which may name a file
        )
    for row in found.rounds:
        score = "" if row.score is None else format_millionths(row.score)
        cells = (
            str(row.task),
            str(row.round),
            row.step,
            row.status or "",
            score,
            _tokens(int(row.reward_wei)),
        )
        table.add_row(*cells, Text(row.reason))
    console.print(table)
