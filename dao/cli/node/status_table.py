"""Shows a node's status at a terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dao.core.formats.reasons import format_millionths, format_tokens
from node.status import NodeStatus, TaskStatus

SHOWN = 5  # of those whom a round waits for; `--json` has all
_OF_CARD = ("purpose", "metric", "settings")


def print_status(status: NodeStatus, console: Console) -> None:
    """Print stake, tasks and the newest rounds with their reasons."""
    console.print(f"operator {status.operator}, {'running' if status.running else 'not running'}")
    if status.trouble:
        console.print(status.trouble, style="red", markup=False, soft_wrap=True)
    else:
        stake = f"stake {format_tokens(int(status.stake_wei or 0))} tokens"
        console.print(f"owner {status.owner or 'none yet: dao node register'}, {stake}, block {status.block}")
    for task in status.tasks:
        for line in _describe_task(task):
            console.print(line, markup=False, soft_wrap=True)
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


def _describe_task(task: TaskStatus) -> Iterator[str]:
    claimable = "?" if task.claimable_wei is None else format_tokens(int(task.claimable_wei))
    joined = {True: "joined", False: "not joined", None: "not known while the chain does not answer"}[
        task.joined
    ]
    trouble = f"; {task.trouble}" if task.trouble else ""
    trouble = f"; {task.approval}{trouble}" if task.approval else trouble
    name = f" ({task.card['name']})" if "name" in task.card else ""
    yield f"task {task.task}{name}: {joined}, {claimable} tokens to claim{trouble}"
    yield from (f"  {what}: {task.card[what]}" for what in _OF_CARD if what in task.card)
    if task.privacy:
        yield f"  privacy: {task.privacy}"
    if task.not_ready:
        yield f"  not ready: {task.not_ready}"
    yield from (f"  {line}" for line in (*_shorten(task.waits), *_shorten(task.missing)))
    yield from (f"  demanded on chain: {demand}" for demand in task.demands)


def _shorten(lines: list[str]) -> list[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"and {len(lines) - SHOWN} more"]
