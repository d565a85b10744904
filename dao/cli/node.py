"""`dao node`: run a Supernode beside your own data."""

import asyncio
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dao.chain.block_clock import format_time
from dao.chain.signer import Signer
from dao.cli import options
from dao.cli.chain_options import RPC_DEFAULT
from dao.cli.confirmation import require_consent
from dao.cli.option_groups import with_option_groups
from dao.cli.options import (
    OWNER_PASSWORD,
    AppPythonOption,
    CaFileOption,
    CopiedDeploymentOption,
    JsonOption,
    KeepStakeOption,
    LastOption,
    OwnerKeystoreOption,
    OwnerPasswordFileOption,
    OwnerPayingOption,
    RequiredSuperlinkOption,
    RpcOption,
    TaskArgument,
    TlsOption,
)
from dao.cli.output import log_to_stderr, parse_tokens, print_json, print_table
from dao.core.formats.address import address_of
from dao.core.formats.cid import Cid
from dao.core.formats.reasons import format_millionths, format_tokens
from dao.core.types import Digest, TaskId, Wei, hex_of
from dao.errors import ConfigError, DecodeError
from dao.runtime.config import default_home
from dao.wire.grpc_options import check_address
from node.settings import NodeSettings, TaskSettings
from node.status import NodeStatus

app = typer.Typer(no_args_is_help=True, help="Run a Supernode beside your own data.")
HomeOption = Annotated[Path | None, options.home("node")]


@dataclass(frozen=True)
class Owner:
    """The owner's key, which signs and pays."""

    owner_keystore: OwnerKeystoreOption
    owner_password_file: OwnerPasswordFileOption = None

    def signer(self) -> Signer:
        """Open it; KeyFileError says what is wrong."""
        return Signer.load(self.owner_keystore, self.owner_password_file, OWNER_PASSWORD)


@dataclass(frozen=True)
class OptionalOwner:
    """The owner's key where it is to pay the gas; without, the operator pays."""

    owner_keystore: OwnerPayingOption = None
    owner_password_file: OwnerPasswordFileOption = None

    def signer(self) -> Signer | None:
        """Open it, or return None where none is named."""
        keystore = self.owner_keystore
        return None if keystore is None else Owner(keystore, self.owner_password_file).signer()


@app.command()
def init(
    home: HomeOption = None, rpc: RpcOption = RPC_DEFAULT, deployment: CopiedDeploymentOption = None
) -> None:
    """Make the node's folder with a new operator key. The network's file is copied into it.

    Example: dao node init --deployment deployment.json
    """
    from node import commands

    folder = home or default_home("node")
    address = commands.init(folder, rpc, deployment)
    typer.echo(f"operator {hex_of(address)} in {folder}")
    typer.echo("next: dao node register --owner-keystore FILE --stake TOKENS, then dao node join TASK …")


@app.command()
@with_option_groups
def register(
    owner: Owner,
    *,
    stake: Annotated[str | None, options.stake("the network's minimum, the first time")] = None,
    home: HomeOption = None,
) -> None:
    """Stake the owner's tokens behind this node until it has so many in all: a command that is repeated adds nothing.

    --stake may only be left out the first time.

    Example: dao node register --owner-keystore owner.json --stake 100
    """
    from node import commands

    amount, settings, signer = _wei(stake, "--stake"), _settings(home), owner.signer()
    total = asyncio.run(commands.register(settings, signer, amount))
    least = "" if amount else "; the least that the network takes, as no --stake was given"
    typer.echo(f"stake {format_tokens(total)} tokens behind this node, owner {hex_of(signer.address)}{least}")


@app.command()
def consent(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Account of the owner to serve.")],
    home: HomeOption = None,
) -> None:
    """Agree to serve an owner's Supernode in its present operator's place; the owner shows it to dao owner rotate.

    Example: dao node consent 0x7099…
    """
    from dao.chain.staking import sign_consent

    operator, signature = sign_consent(_settings(home), address_of(owner, "OWNER"))
    typer.echo(f"{hex_of(operator)} {hex_of(signature)}")


@app.command()
@with_option_groups
def join(
    task: TaskArgument,
    data: Annotated[Path, options.DATA],
    superlink: RequiredSuperlinkOption,
    *,
    owner: Owner,
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    app_python: AppPythonOption = None,
    approve: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="Digest of the task's app, which the owner has read; else it is shown at a terminal.",
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Take part in a task, with an app that the owner has read and approves.

    Example: dao node join 1 --data mine.safetensors --superlink host:8600 --owner-keystore owner.json
    """
    from node import commands

    if not data.exists():
        raise ConfigError(f"--data {data}: no such file or folder")
    settings = _settings(home)
    task_settings = TaskSettings(
        data=data.absolute(),
        superlink=check_address(superlink),
        tls=tls or ca_file is not None,
        ca_file=ca_file and ca_file.absolute(),
        app_python=app_python and app_python.absolute(),
    )
    is_approved = approve is not None or sys.stdin.isatty()
    if is_approved:
        asyncio.run(_approve(settings, TaskId(task), task_settings, approve))
    asyncio.run(commands.join(settings, owner.signer(), TaskId(task), task_settings))
    typer.echo(f"joined task {task}; start the node, or restart it: dao node start")
    if not is_approved:
        typer.echo(f"its app does not run yet; read it and approve: dao node approve {task}")


@app.command()
def approve(
    task: TaskArgument,
    digest: Annotated[
        str | None,
        typer.Argument(
            metavar="HASH", help="Digest of the app, which the owner has read.", show_default="shows and asks"
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Show the app of a task, as a difference to the one approved before, and let it run on this node's data.

    A digest that is given is compared with the task's, and nothing is asked. The daemon need not be restarted.

    Example: dao node approve 1
    """
    settings = _settings(home)
    known = settings.tasks()
    if TaskId(task) not in known:
        raise ConfigError(f"task {task}: not one of this node's; expected one of {[*known]}")
    asyncio.run(_approve(settings, TaskId(task), known[TaskId(task)], digest))
    typer.echo(f"approved: the app of task {task} runs on this node's data from the next round on")


@app.command()
def uses(home: HomeOption = None, last: LastOption = 10, json: JsonOption = False) -> None:
    """Show what ran on this node's data, when, by whose decision, and what left.

    Example: dao node uses --last 100 --json
    """
    from node.uses import read_uses

    found = read_uses(_settings(home).home)[-last:]
    if json:
        print_json([asdict(use) for use in found])
        return
    rows = [
        {
            "task": use.task,
            "round": use.round,
            "app": use.app[:12],
            # a proposal's number has 77 digits; --json has them all
            "decided_by": use.decided_by if len(use.decided_by) <= 50 else f"{use.decided_by[:20]}…",
            "began": format_time(use.began),
            "ended": format_time(use.ended) if use.ended else "",
            "update": use.update or "",
            "bytes": "" if use.update_bytes is None else use.update_bytes,
            "left": format_time(use.left) if use.left else "",
        }
        for use in found
    ]
    print_table(rows, "no app has run on this node's data")


@app.command()
@with_option_groups
def leave(task: TaskArgument, payer: OptionalOwner, *, home: HomeOption = None) -> None:
    """Stop taking part in a task.

    Example: dao node leave 1
    """
    from node import commands

    asyncio.run(commands.leave(_settings(home), TaskId(task), payer.signer()))
    typer.echo(f"left task {task}")


@app.command()
def start(home: HomeOption = None) -> None:
    """Run the node until Ctrl-C or SIGTERM; it logs to stderr.

    Example: dao node start
    """
    from node.daemon import run_node

    log_to_stderr()
    asyncio.run(run_node(_settings(home)))


@app.command()
def status(home: HomeOption = None, last: LastOption = 10, json: JsonOption = False) -> None:
    """Show stake, rewards, and the outcome of the newest rounds with its reasons.

    Example: dao node status --last 20
    """
    from node.status import read_status

    node_status = asyncio.run(read_status(_settings(home), last))
    if json:
        print_json(node_status.document())
    else:
        _print_status(node_status, Console())


@app.command()
@with_option_groups
def claim(
    task: Annotated[
        list[int] | None,
        typer.Argument(metavar="TASK", help="Numbers of tasks.", show_default="all of this node's"),
    ] = None,
    *,
    payer: OptionalOwner,
    home: HomeOption = None,
) -> None:
    """Have the owner paid for all finalized rounds.

    Example: dao node claim --owner-keystore owner.json
    """
    from node import commands

    signer, tasks = payer.signer(), [TaskId(number) for number in task or ()]
    for paid in asyncio.run(commands.claim(_settings(home), signer, tasks)):
        first = f"; finalized rounds {', '.join(map(str, paid.finalized))} first" if paid.finalized else ""
        done = f"paid {format_tokens(paid.paid)} tokens to the owner" if paid.paid else "nothing to claim"
        typer.echo(f"task {paid.task}: {done}{first}")


@app.command()
@with_option_groups
def unbond(owner: Owner, *, keep_stake: KeepStakeOption = "0", home: HomeOption = None) -> None:
    """Begin to take stake out, all but what is to be kept.

    Example: dao node unbond --owner-keystore owner.json --keep-stake 50
    """
    from node import commands

    keep, settings = parse_tokens(keep_stake, "--keep-stake"), _settings(home)
    until = asyncio.run(commands.unbond(settings, owner.signer(), keep))
    typer.echo(f"unbonding until block time {until}, {format_time(until)}; then: dao node withdraw")


@app.command()
@with_option_groups
def withdraw(payer: OptionalOwner, *, home: HomeOption = None) -> None:
    """Send released stake to the owner.

    Example: dao node withdraw --owner-keystore owner.json
    """
    from node import commands

    sent = asyncio.run(commands.withdraw(_settings(home), payer.signer()))
    typer.echo(f"{format_tokens(sent)} tokens sent to the owner")


async def _approve(
    settings: NodeSettings, task: TaskId, task_settings: TaskSettings, given: str | None
) -> None:
    """Approve the app of a task: by the digest that is given, else by showing it and asking."""
    from node import commands

    if given is not None:
        digest = _digest(given)
        await commands.check_app(settings, task, digest)
        commands.approve(settings, task, digest)
        return
    shown = await commands.fetch_app(settings, task, task_settings)
    if not shown.is_approved:
        if not sys.stdin.isatty():
            raise ConfigError("nothing was approved: expected the app's HASH, or a terminal to ask at")
        require_consent(commands.describe_app(shown), yes=False, verb="Approve", done="approved")
    commands.approve(settings, task, shown.digest, shown.bundle)


def _digest(text: str) -> Digest:
    """Read a digest in hex, or the CID of what it is of; ConfigError."""
    try:
        return (
            Digest(bytes.fromhex(text[2:]))
            if re.fullmatch("0x[0-9a-f]{64}", text)
            else Cid.parse(text).digest
        )
    except DecodeError:
        raise ConfigError(f"HASH: expected 0x and 64 hex digits, or a CID, got {text[:80]!r}") from None


def _settings(home: Path | None) -> NodeSettings:
    folder = home or default_home("node")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; dao node init makes one")
    return NodeSettings.load(folder)


def _wei(text: str | None, option: str) -> Wei | None:
    return None if text is None else parse_tokens(text, option, or_none=False)


def _print_status(status: NodeStatus, console: Console) -> None:
    console.print(f"operator {status.operator}, {'running' if status.running else 'not running'}")
    if status.trouble:
        console.print(status.trouble, style="red", markup=False, soft_wrap=True)
    else:
        stake = f"stake {format_tokens(int(status.stake_wei or 0))} tokens"
        console.print(f"owner {status.owner or 'none yet: dao node register'}, {stake}, block {status.block}")
    for task in status.tasks:
        claimable = "?" if task.claimable_wei is None else format_tokens(int(task.claimable_wei))
        joined = {True: "joined", False: "not joined", None: "not known while the chain does not answer"}[
            task.joined
        ]
        trouble = f"; {task.trouble}" if task.trouble else ""
        trouble = f"; {task.approval}{trouble}" if task.approval else trouble
        line = f"task {task.task}: {joined}, {claimable} tokens to claim{trouble}"
        console.print(line, markup=False, soft_wrap=True)
        for demand in task.demands:
            console.print(f"  demanded on chain: {demand}", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("task", "round", "step", "status", "score", "reward", "why"):
        table.add_column(
            column,
            justify="right" if column in ("score", "reward") else "left",
            overflow="fold" if column == "why" else "ellipsis",  # a reason may name a file
        )
    for row in status.rounds:
        score = "" if row.score is None else format_millionths(row.score)
        cells = (
            str(row.task),
            str(row.round),
            row.step,
            row.status or "",
            score,
            format_tokens(int(row.reward_wei)),
        )
        table.add_row(*cells, Text(row.reason))
    console.print(table)
