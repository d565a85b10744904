"""`dao round`: show rounds as the chain and their manifests have them."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from dao.audit.evidence import read_manifest
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.rounds import RoundReader
from dao.cli.chain_options import ChainOptions, open_chain
from dao.cli.content_options import ContentOptions
from dao.cli.option_groups import with_option_groups
from dao.cli.options import JsonOption, TaskArgument
from dao.cli.output import print_fields, print_json, print_table
from dao.core.formats.json_form import get_form
from dao.core.formats.manifest import Manifest, MeasuredMetric
from dao.core.formats.reasons import format_tokens
from dao.core.types import Digest, RoundId, TaskId, Timestamp, hex_of
from dao.errors import ConfigError
from dao.gov.card_words import describe_metric

app = typer.Typer(no_args_is_help=True)
MILLION = 1_000_000


@app.command()
@with_option_groups
def ls(task: TaskArgument, *, network: ChainOptions, json: JsonOption = False) -> None:
    """List a task's rounds, as the chain has them.

    Example: dao round ls 1
    """

    async def read() -> list[dict[str, object]]:
        async with open_chain(network) as chain:
            last = (await Coordinator(chain).task_of(TaskId(task), chain.final())).last_round
            return [await _state(chain, TaskId(task), RoundId(number)) for number in range(1, last + 1)]

    rows = asyncio.run(read())
    if json:
        print_json(rows)
    else:
        print_table([_for_people(row) for row in rows], f"task {task}: no round yet")


@app.command()
@with_option_groups
def show(
    task: TaskArgument,
    number: Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.")],
    *,
    network: ChainOptions,
    content: ContentOptions,
    json: JsonOption = False,
) -> None:
    """Show a round: its phase and the gas of each step and, with a source of its manifest, the result of each node.

    Example: dao round show 1 3 --superlink superlink.example:8600
    """

    async def read() -> tuple[dict[str, object], Manifest | None]:
        async with open_chain(network) as chain:
            fields = await _state(chain, TaskId(task), RoundId(number))
            if fields["phase"] == "none":
                raise ConfigError(f"task {task} round {number}: not opened yet; see dao round ls {task}")
            events = await RoundReader(chain, TaskId(task)).events_of(RoundId(number), chain.final())
            steps = {"open": events.opened, "close": events.closed, "post": events.posted}
            for step, event in {**steps, "finalize": events.final}.items():
                if event is not None:
                    fields[f"gas_{step}"] = await _gas(chain, event.tx_hash)
            if not content.are_named or events.posted is None:
                return fields, None
            async with content.open(chain.domain) as source:
                return fields, await read_manifest(source, events.posted.result.manifest_digest)

    fields, manifest = asyncio.run(read())
    if json:
        print_json(
            {**fields, **({"manifest": _summary(manifest), "nodes": _nodes(manifest)} if manifest else {})}
        )
        return
    print_fields(_for_people(fields))
    if manifest is None:
        print("name --superlink, --store, --ipfs or --gateway to see the nodes of a round that has a result")
        return
    metric = manifest.metric and f"{describe_metric(manifest.metric)}, as the Superlink measured it"
    print_fields({**_summary(manifest), "metric": metric or "none"})
    print_table(_nodes(manifest), "nobody committed")


async def _state(chain: Chain, task: TaskId, round_id: RoundId) -> dict[str, object]:
    state = await Coordinator(chain).round_of(task, round_id, chain.final())
    return {
        "round": round_id,
        "phase": state.phase.name.lower(),
        "parent": state.parent,
        "commits": state.commits,
        "eligible": state.eligible,
        "opened_at": state.opened_at or None,
        "closed_at": state.closed_at or None,
        "posted_at": state.posted_at or None,
    }


async def _gas(chain: Chain, transaction: Digest) -> int:
    receipt = await chain.request("eth_getTransactionReceipt", hex_of(transaction))
    return int(receipt["gasUsed"], 16)


def _summary(manifest: Manifest) -> dict[str, object]:
    return {
        "seed": hex_of(manifest.seed),
        "shard": manifest.shard.index,
        "base_model": str(manifest.base_model),
        "model": str(manifest.model),
        "metric": get_form(MeasuredMetric | None).write(manifest.metric),
        "loss_before": manifest.loss_before / MILLION,
        "loss_after": manifest.loss_after / MILLION,
        "budget": format_tokens(manifest.budget_wei),
        "refunded": format_tokens(manifest.refunded_wei),
    }


def _nodes(manifest: Manifest) -> list[dict[str, object]]:
    """The result of each node: score in loss, reward in tokens."""
    committed = [
        (
            node.node,
            str(node.status),
            node.weight,
            node.score / MILLION,
            format_tokens(node.reward_wei),
            node.reason,
        )
        for node in manifest.nodes
    ]
    absent = [(node.node, "passed", 0, 0.0, "0", node.reason) for node in manifest.passes]
    absent += [(node.node, "absent", 0, 0.0, "0", node.reason) for node in manifest.absent]
    names = ("node", "status", "weight", "score", "reward", "reason")
    return [dict(zip(names, (hex_of(row[0]), *row[1:]), strict=True)) for row in sorted(committed + absent)]


def _for_people(fields: dict[str, object]) -> dict[str, object]:
    """The fields with times in words."""
    return {
        name: "-" if value is None else _time(value) if name.endswith("_at") else value
        for name, value in fields.items()
    }


def _time(value: object) -> str:
    return f"{datetime.fromtimestamp(Timestamp(int(str(value))), UTC):%Y-%m-%d %H:%M:%S}"
