"""`dao task`: create a task, and show tasks with their rules."""

import asyncio
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from dao.audit.findings import Missing
from dao.audit.look_back import EndReader
from dao.audit.task_waits import MissingNode, TaskWait, list_missing, read_newest, read_waits
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Distributor
from dao.chain.deploy import create_task
from dao.chain.governance import PROPOSER_ROLE, Timelock
from dao.chain.task_rules import RULES_BY_NAME, Unit
from dao.cli import options
from dao.cli.card_options import CardOptions
from dao.cli.chain_options import (
    ChainOptions,
    PayingAccount,
    absolute,
    account_folder,
    open_chain,
    open_sender,
)
from dao.cli.content_options import ContentOptions
from dao.cli.option_groups import with_option_groups
from dao.cli.options import CONTENT_DEFAULT, IpfsOption, JsonOption, TaskArgument
from dao.cli.output import print_fields, print_json, print_table, printable, require_writable
from dao.cli.task_metrics import metrics
from dao.cli.task_plan import TaskOptions
from dao.cli.task_propose import propose
from dao.cli.task_watch import watch
from dao.cli.unfinished import Unfinished
from dao.core.formats.manifest import Manifest
from dao.core.formats.reasons import format_tokens
from dao.core.types import Address, Rules, TaskId, Wei, hex_of
from dao.devnet.anvil import CHAIN_ID, dev_signer
from dao.errors import DecodeError, RuleError
from dao.gov.card_words import describe_metric, read_card_words, shorten

app = typer.Typer(no_args_is_help=True)
_COLUMN = 60  # characters of a card's text in a table


app.command()(propose)
app.command()(metrics)
app.command()(watch)


@app.command()
@with_option_groups
def create(
    app_folder: Annotated[Path, options.APP],
    shards: Annotated[Path, options.SHARDS],
    *,
    task: TaskOptions,
    network: ChainOptions,
    account: PayingAccount,
    draft: Annotated[
        Path | None,
        typer.Option(
            help="Write the task to this file for dao propose --file, where members decide; nothing is sent."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Create a task through the DAO's timelock: what to train, on whose rules, for how much.

    The app is tried on a shard: its loss gradient thrice, as Superlink and auditor take it, and a training. Then it is
    bundled and stored together with the first model and with base/model.safetensors, which an adapter's app does not train;
    at the IPFS node too if one is named. The rules bind the digests of these, and the root over the shards, which only the
    Superlink gets. Funds for the rounds come from the DAO's tokens. Where members govern, nobody creates a task alone: dao
    task propose. Interrupted, the same command goes on with the same task.

    Example: dao task create --app apps/mnist --shards shards --superlink-operator 0x7099… --dev-account 0 --fund-rounds 5
    """
    from dao.cli.task_content import write_draft

    terms = task.read(app_folder)  # what is wrong is told before anything is opened
    require_writable(draft, "--draft")

    async def create_or_draft() -> dict[str, object]:
        if draft is not None:
            plan = await task.plan(terms, app_folder, shards)
            write_draft(draft, plan.rules, plan.funds)
            return {"draft": str(draft), **plan.fields}
        async with open_sender(network, account) as (chain, sender):
            await _require_proposer(chain, sender.address)
            plan = await task.plan(terms, app_folder, shards)
            folder = account_folder(absolute(network.deployment), sender.address)
            unfinished.append(Unfinished(folder, _name_task(plan.rules, plan.funds)))
            key = f"task:{unfinished[0].begin()}"
            number = await create_task(chain, sender, plan.rules, plan.funds, key)
            return {"task": number, **plan.fields}

    unfinished: list[Unfinished] = []
    fields = asyncio.run(create_or_draft())
    (print_json if json else print_fields)(fields if json else _in_tokens(fields))
    for one in unfinished:
        one.end()


@app.command()
@with_option_groups
def show(
    task: TaskArgument, *, network: ChainOptions, content: ContentOptions, json: JsonOption = False
) -> None:
    """Show a task's rules, state and funds, and whom its round waits for; with a source of content, its card, who was missing and whether the card ends it.

    Example: dao task show 1
    """

    async def read() -> tuple[dict[str, object], list[TaskWait], list[MissingNode] | None]:
        async with open_chain(network) as chain:
            at = chain.final()
            rules = await Coordinator(chain).rules_of(TaskId(task), at)
            fields = {**await _state(chain, TaskId(task)), **_rule_fields(rules)}
            waits = await read_waits(chain, TaskId(task))
            if not content.are_named:
                return fields, waits, None
            async with content.open(chain.domain) as source:
                card = await read_card_words(source, rules.card)
                try:
                    newest = await read_newest(chain, TaskId(task), source, at)
                except (Missing, DecodeError) as error:  # the newest manifest; the rest is there
                    return {**card, **fields, "trouble": f"who was missing: {error}"}, waits, None
                if newest is None:
                    return {**card, **fields}, waits, []
                measured = _show_metric(newest[0])
                why = await EndReader(chain, TaskId(task), source).explain_end(newest[0], at)
                ended = {"ended": why} if why else {}
                return {**card, **measured, **ended, **fields}, waits, list_missing(*newest)

    fields, waits, missing = asyncio.run(read())
    if json:
        more = {} if missing is None else {"missing": [asdict(one) for one in missing]}
        print_json({**fields, "awaited": [asdict(one) for one in waits], **more})
        return
    print_fields(_in_tokens(fields))
    for line in (*waits, *(missing or ())):
        print(printable(str(line)))


@app.command()
@with_option_groups
def card(
    card: CardOptions,
    *,
    content_folder: Annotated[
        Path, typer.Option(help="Folder to keep the card in, as a store.")
    ] = CONTENT_DEFAULT,
    ipfs: IpfsOption = None,
    json: JsonOption = False,
) -> None:
    """Make and pin a card, which a change of rules may name: dao propose --rule TASK:card=CID.

    Example: dao task card --name Digits --purpose "Reads handwritten digits" --setting rate=0.01
    """
    from dao.cli.task_content import store_card

    content = card.make("")
    cid = asyncio.run(store_card(content, absolute(content_folder), ipfs))
    (print_json if json else print_fields)({"card": str(cid), "digest": hex_of(cid.digest)})


@app.command()
@with_option_groups
def ls(*, network: ChainOptions, content: ContentOptions, json: JsonOption = False) -> None:
    """List the network's tasks; with a source of content, what each is called, what it is for and what it is judged by.

    Example: dao task ls --superlink superlink.example:8600
    """

    async def read() -> list[dict[str, object]]:
        async with open_chain(network) as chain:
            coordinator = Coordinator(chain)
            tasks = [TaskId(n) for n in range(1, await coordinator.task_count(chain.final()) + 1)]
            rows = [await _state(chain, number) for number in tasks]
            if not content.are_named:
                return rows
            async with content.open(chain.domain) as source:
                at = chain.final()
                for number, row in zip(tasks, rows, strict=True):
                    rules = await coordinator.rules_of(number, at)
                    row["card"] = await read_card_words(source, rules.card)
                return rows

    rows = asyncio.run(read())
    if json:
        print_json(rows)
    else:
        print_table([_in_tokens(_name_row(row)) for row in rows], "no task yet: dao task create")


def _show_metric(manifest: Manifest) -> dict[str, str]:
    if manifest.metric is None:
        return {}
    measured = (
        f"{describe_metric(manifest.metric)} after round {manifest.round}, as the Superlink measured it"
    )
    return {"measured": measured}


def _name_row(row: dict[str, object]) -> dict[str, object]:
    """Return a task's row with the shortest of what its card says behind its number."""
    card = row.pop("card", None)
    if not isinstance(card, dict):
        return row
    words = {name: shorten(card.get(name, ""), _COLUMN) for name in ("name", "metric", "purpose")}
    return {"task": row.pop("task"), "name": words.pop("name"), **row, **words}


def _name_task(rules: Rules, funds: Wei) -> str:
    """Name a task by all that makes it."""
    return sha256(repr((rules, funds)).encode()).hexdigest()[:32]


async def _require_proposer(chain: Chain, account: Address) -> None:
    """RuleError, with what to do, unless an account may have the timelock create a task."""
    timelock, at = Timelock(chain), chain.head()
    if await timelock.has_role(PROPOSER_ROLE, account, at):
        return
    instead = "it takes a proposal that members accept: dao task propose"
    if chain.chain_id == CHAIN_ID and await timelock.has_role(PROPOSER_ROLE, dev_signer(0).address, at):
        instead = "on this devnet, --dev-account 0 may"
    raise RuleError(f"account {hex_of(account)}: may not create a task on behalf of the DAO; {instead}")


async def _state(chain: Chain, task: TaskId) -> dict[str, object]:
    at, distributor = chain.final(), Distributor(chain)
    state = await Coordinator(chain).task_of(task, at)
    return {
        "task": task,
        "state": "closed" if state.closed else "open",
        "active": state.active,
        "last_round": state.last_round,
        "head": state.head,
        "in_flight": state.in_flight,
        "funded_wei": str(await distributor.funded_of(task, at)),
        "rewarded_wei": str(await distributor.total_of(task, at)),
        "available_wei": str(await distributor.available_of(task, at)),
    }


def _rule_fields(rules: Rules) -> dict[str, object]:
    """Return the rules with addresses and digests in hex, and amounts as text."""
    fields: dict[str, object] = {}
    for name, value in asdict(rules).items():
        if RULES_BY_NAME[name].unit is Unit.TOKENS:
            fields[f"{name}_wei"] = str(value)
        else:
            fields[name] = hex_of(value) if isinstance(value, bytes) else value
    return fields


def _in_tokens(fields: dict[str, object]) -> dict[str, object]:
    """Return the fields with amounts in whole tokens, for people."""
    return {
        name.removesuffix("_wei"): format_tokens(int(str(value))) if name.endswith("_wei") else value
        for name, value in fields.items()
    }
