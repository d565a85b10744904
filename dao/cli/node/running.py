"""The commands of a node's days: start, status, uses, claim."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from dao.chain.block_clock import format_time
from dao.cli.node.node_options import HomeOption, OptionalOwner, load_settings
from dao.cli.node.status_table import print_status
from dao.cli.option_groups import with_option_groups
from dao.cli.options import JsonOption, LastOption
from dao.cli.output import log_to_stderr, print_json, print_table
from dao.core.formats.reasons import format_tokens
from dao.core.types import TaskId


def start(
    home: HomeOption = None,
    audit: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Part of all rounds, 0 to 1, that the node audits whole in the background, by its own chance.",
        ),
    ] = None,
) -> None:
    """Run the node until Ctrl-C or SIGTERM; it logs to stderr.

    Example: dao node start
    Example: dao node start --audit 0.1
    """
    from node.daemon import run_node

    log_to_stderr()
    asyncio.run(run_node(load_settings(home, audit=audit)))


def status(home: HomeOption = None, last: LastOption = 10, json: JsonOption = False) -> None:
    """Show stake, rewards, and the outcome of the newest rounds with its reasons.

    Example: dao node status --last 20
    """
    from node.status import read_status

    node_status = asyncio.run(read_status(load_settings(home), last))
    if json:
        print_json(node_status.document())
    else:
        print_status(node_status, Console())


def uses(home: HomeOption = None, last: LastOption = 10, json: JsonOption = False) -> None:
    """Show what ran on this node's data, when, by whose decision, and what left.

    Example: dao node uses --last 100 --json
    """
    from node.uses import read_uses

    found = read_uses(load_settings(home).home)[-last:]
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
            "rows": use.rows if use.used is None else use.used,
            "ended": format_time(use.ended) if use.ended else "",
            "update": use.update or "",
            "bytes": "" if use.update_bytes is None else use.update_bytes,
            "left": format_time(use.left) if use.left else "",
        }
        for use in found
    ]
    print_table(rows, "no app has run on this node's data")


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
    for paid in asyncio.run(commands.claim(load_settings(home), signer, tasks)):
        first = f"; finalized rounds {', '.join(map(str, paid.finalized))} first" if paid.finalized else ""
        done = f"paid {format_tokens(paid.paid)} tokens to the owner" if paid.paid else "nothing to claim"
        typer.echo(f"task {paid.task}: {done}{first}")
