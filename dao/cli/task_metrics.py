"""`dao task metrics`: the figures of a task's rounds, at a terminal, as JSON, and for TensorBoard."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from dao.audit.provenance import trace_rounds
from dao.audit.round_metrics import RoundMetrics, list_metrics
from dao.chain.contracts import Coordinator
from dao.cli.chain_options import ChainOptions, open_chain
from dao.cli.content_options import ContentOptions
from dao.cli.mlflow_runs import describe_mlflow, require_mlflow, write_mlflow
from dao.cli.option_groups import with_option_groups
from dao.cli.options import JsonOption, TaskArgument
from dao.cli.output import print_json, print_table, require_empty
from dao.core.types import TaskId
from dao.errors import ConfigError

_NODE = ("score/", "reward/")  # the figures of one Supernode, which the table has no columns for


@with_option_groups
def metrics(
    task: TaskArgument,
    *,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            help="Folder for TensorBoard's event files, which are written anew; needs tensorboardX."
        ),
    ] = None,
    mlflow: Annotated[
        Path | None,
        typer.Option(
            help="Folder for MLflow's database, which is written anew; needs mlflow-skinny, and mlflow to show it."
        ),
    ] = None,
    network: ChainOptions,
    content: ContentOptions,
    json: JsonOption = False,
) -> None:
    """Show losses, who took part and what was paid, round by round; as JSON, TensorBoard and MLflow files also by Supernode.

    They are of the rounds that led to the newest result that stands, final or not.

    Example: dao task metrics 1 --superlink superlink.example:8600 --tensorboard runs/task-1
    """
    if tensorboard is not None:
        require_empty(tensorboard, "--tensorboard")
        _load_writer()  # what is missing is told before content is fetched
    if mlflow is not None:
        require_mlflow(mlflow)

    async def read() -> list[RoundMetrics]:
        async with open_chain(network) as chain, content.open(chain.domain) as source:
            head = (await Coordinator(chain).task_of(TaskId(task), chain.final())).head
            if not head:
                return []
            return list_metrics(await trace_rounds(chain, source, TaskId(task), str(head), verifies=False))

    rounds = asyncio.run(read())
    if tensorboard is not None:
        write_tensorboard(rounds, tensorboard)
    if mlflow is not None:
        address = write_mlflow(TaskId(task), rounds, mlflow)
        typer.echo(describe_mlflow(address), err=True)
    if json:
        print_json([asdict(played) for played in rounds])
    else:
        print_rounds(rounds)


def print_rounds(rounds: Sequence[RoundMetrics]) -> None:
    """Print a table of rounds, with the figures that are of the whole round."""
    rows = [
        {"round": played.round}
        | {name: f"{value:.6g}" for name, value in played.values.items() if not name.startswith(_NODE)}
        for played in rounds
    ]
    print_table(rows, "no result yet")


def write_tensorboard(rounds: Sequence[RoundMetrics], folder: Path) -> None:
    """Write TensorBoard's event files into a folder: a step for each round; ConfigError without tensorboardX."""
    with _load_writer()(str(folder)) as writer:
        for played in rounds:
            for name, value in played.values.items():
                writer.add_scalar(name, value, played.round, walltime=played.posted_at)


def _load_writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ConfigError(
            "--tensorboard: needs a package that is not here: pip install tensorboardX"
        ) from None
    return SummaryWriter
