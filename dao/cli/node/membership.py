"""The commands by which a node takes part in tasks: join, approve, leave."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dao.cli import options
from dao.cli.confirmation import require_consent
from dao.cli.node.checking import require_fit
from dao.cli.node.node_options import HomeOption, OptionalOwner, Owner, load_settings
from dao.cli.node.privacy_options import PrivacyOptions, describe_budget
from dao.cli.option_groups import with_option_groups
from dao.cli.options import (
    AppPythonOption,
    CaFileOption,
    RequiredSuperlinkOption,
    TaskArgument,
    TlsOption,
)
from dao.cli.output import parse_digest, printable
from dao.core.types import TaskId
from dao.errors import ConfigError, ContentError, Unreachable
from dao.wire.grpc_options import check_address
from node.check.site_check import describe_report
from node.settings import NodeSettings, TaskSettings


@with_option_groups
def join(
    task: TaskArgument,
    data: Annotated[Path, options.DATA],
    superlink: RequiredSuperlinkOption,
    *,
    owner: Owner,
    privacy: PrivacyOptions,
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    app_python: AppPythonOption = None,
    approve: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HASH",
            help="Digest of the task's app, and once more of its card, which the owner has read.",
            show_default="shown at a terminal",
        ),
    ] = None,
    follow_card: Annotated[
        bool,
        typer.Option(
            "--follow-card",
            help="Let members change the card, with the app's settings, without another approval.",
        ),
    ] = False,
    least_rows: Annotated[
        int, typer.Option("--least-rows", min=0, help="Pass rounds for which fewer rows can be trained on.")
    ] = 0,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Join, and train, without a check of the data.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Take part in a task, with an app that the owner has read and approves, on data that are checked first.

    Example: dao node join 1 --data mine.safetensors --superlink host:8600 --owner-keystore owner.json
    """
    from node import commands

    if not data.exists():
        raise ConfigError(f"--data {data}: no such file or folder")
    settings, private = load_settings(home), privacy.settings()
    if private is not None:
        typer.echo(describe_budget(private))
    task_settings = TaskSettings(
        data=data.absolute(),
        superlink=check_address(superlink),
        tls=tls or ca_file is not None,
        ca_file=ca_file and ca_file.absolute(),
        app_python=app_python and app_python.absolute(),
        least_rows=least_rows,
        privacy=private,
        check=not unchecked,
        follow_card=follow_card,
    )
    if shortage := asyncio.run(commands.find_shortage(settings, TaskId(task))):
        typer.echo(f"WARNING: {shortage}", err=True)
    is_approved = bool(approve) or sys.stdin.isatty()
    if is_approved:
        asyncio.run(_approve(settings, TaskId(task), task_settings, approve or ()))
    if not unchecked:
        _check(settings, TaskId(task), task_settings, runs_app=is_approved)
    asyncio.run(commands.join(settings, owner.signer(), TaskId(task), task_settings))
    typer.echo(f"joined task {task}; start the node, or restart it: dao node start")
    if not is_approved:
        typer.echo(f"its app does not run yet; read it and approve: dao node approve {task}")


def approve(
    task: TaskArgument,
    digests: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HASH",
            help="Digests of app and card, or of what changed, which the owner has read.",
            show_default="shows and asks",
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Show the app of a task and its card, as a difference to those approved before, and let it run on this node's data.

    Digests that are given are compared with the task's, and nothing is asked. The daemon need not be restarted.

    Example: dao node approve 1
    """
    settings = load_settings(home)
    known = settings.tasks()
    if TaskId(task) not in known:
        raise ConfigError(f"task {task}: not one of this node's; expected one of {[*known]}")
    asyncio.run(_approve(settings, TaskId(task), known[TaskId(task)], digests or ()))
    typer.echo(f"approved: the app of task {task} runs on this node's data from the next round on")


@with_option_groups
def leave(task: TaskArgument, payer: OptionalOwner, *, home: HomeOption = None) -> None:
    """Stop taking part in a task.

    Example: dao node leave 1
    """
    from node import commands

    asyncio.run(commands.leave(load_settings(home), TaskId(task), payer.signer()))
    typer.echo(f"left task {task}")


def _check(settings: NodeSettings, task: TaskId, task_settings: TaskSettings, *, runs_app: bool) -> None:
    """Check the data, and run the app on them where it is approved; DataError before anything is sent."""
    from node import commands

    try:
        report = asyncio.run(commands.check(settings, task, task_settings, runs_app=runs_app))
    except ContentError as error:
        raise ContentError(f"the data cannot be checked yet: {error}; or join --unchecked") from None
    except Unreachable as error:
        raise Unreachable(
            f"{error}; nothing was sent; name another by --superlink, or join --unchecked"
        ) from None
    for line in describe_report(report):
        typer.echo(printable(line))
    require_fit(report, "nothing was sent; correct these, or join --unchecked")


async def _approve(
    settings: NodeSettings, task: TaskId, task_settings: TaskSettings, given: Sequence[str]
) -> None:
    """Approve the app of a task with its card: by the digests that are given, else by showing them and asking."""
    from node import commands

    if given:
        await commands.approve_digests(settings, task, [parse_digest(text, "HASH") for text in given])
        return
    shown = await commands.fetch_app(settings, task, task_settings)
    if not shown.is_approved:
        if not sys.stdin.isatty():
            raise ConfigError(
                "nothing was approved: expected the HASH of app and card, or a terminal to ask at"
            )
        require_consent(commands.describe_app(shown), yes=False, verb="Approve", done="approved")
    commands.approve(settings, task, shown)
