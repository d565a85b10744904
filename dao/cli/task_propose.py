"""`dao task propose`: an app becomes a proposal for a task, with what nodes will run and what it may cost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from dao.app.bundle import is_app
from dao.app.environment import PROJECT_FILE, read_project
from dao.app.memory_needs import MemoryNeed, compute_model_bytes
from dao.cli.dao_member import Outcome
from dao.cli.member_session import MemberOptions, check_title, open_member, run, sign_proposal
from dao.cli.option_groups import with_option_groups
from dao.cli.task_plan import TaskOptions, TaskPlan
from dao.core.formats.card import parse_card
from dao.core.types import Wei
from dao.errors import ConfigError
from dao.gov.actions import CreateTask
from dao.gov.card_words import describe_card
from dao.gov.texts import DESCRIPTION_BYTES, check_size
from dao.gov.units import MEGABIT, format_amount, format_duration

_SMALL = 100_000  # bytes


@with_option_groups
def propose(
    app: Annotated[
        Path, typer.Argument(metavar="NAME", help="Folder of the app, as dao new makes one.")
    ] = Path(),
    *,
    shards: Annotated[
        Path | None,
        typer.Option(
            "--shards",
            help="Folder of the task's validation shards.",
            show_default="what [tool.commonweight] of its pyproject.toml names",
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="One line; without, it has the task's name.")] = "",
    text: Annotated[
        str, typer.Option(help="Why, before what nodes run and what it costs, which are added.")
    ] = "",
    task: TaskOptions,
    options: MemberOptions,
) -> None:
    """Propose a task to the DAO: the app is tried, stored and pinned with first model and card, and members vote.

    Before you sign, you see what nodes will run, what it may cost, and every rule. The shards stay with you: give them to the
    Superlink alone. The proposal's text says the same, for those who vote.

    Example: dao task propose tumour --superlink-operator 0x7099… --quorum 5 --api https://dao.example --keystore me.json
    """
    if not is_app(app):
        raise ConfigError(
            f"{app}: expected the folder of an app, with an app.py, or a Flower app's pyproject.toml; see dao new"
        )
    where = shards or _find_shards(app)
    # what is wrong is told before anything is opened
    terms = task.read(app)
    heading = title.strip() or f"Train {parse_card(terms.card).name}"
    check_title(heading)
    check_size("--text", text, DESCRIPTION_BYTES)

    async def act() -> Outcome:
        async with open_member(options) as member:
            plan = await task.plan(terms, app, where)
            words = [*describe_work(plan), *describe_cost(plan)]
            body = "\n".join([*([text, ""] if text else []), *(f"- {line}" for line in words)])
            check_size("--text, with what is added,", body, DESCRIPTION_BYTES)
            draft = await member.draft(heading, body, [CreateTask(plan.rules, plan.funds)])
            # what was measured is not part of the text: the same command makes the same proposal again
            took = plan.content.training_s
            tried = [] if took is None else [f"Tried here on a shard, a training took {took:.1f} s."]
            outcome = await sign_proposal(
                member, draft, f"Propose “{heading}”:", options, notes=(*words, *tried)
            )
            return {**outcome, **plan.fields}

    run(act, options.json)


def describe_work(plan: TaskPlan) -> Iterator[str]:
    """Yield what the task is, and what its nodes will run, a line each."""
    from dao.core.formats.update import compute_update_size

    content, rules = plan.content, plan.rules
    for name, words in describe_card(content.card).items():
        yield f"The task's {name.replace('_', ' ')}: {words}"
    packages = ", ".join(content.packages) or "what the project itself needs"
    yield (
        f"Nodes run the app {content.app}: {content.files} files, {content.lines} lines of code, with {packages}, in a sandbox "
        "without network, after each owner has read and approved it."
    )
    size = compute_update_size(content.layout, rules.codec)
    sent = f"{size:,} bytes" if size < _SMALL else f"{size / 1e6:,.1f} MB"
    rate = max(size / rules.reveal_period / MEGABIT, 0.01)
    yield (
        f"The model has {content.layout.size:,} values; each round a node sends {sent} within "
        f"{format_duration(rules.reveal_period)}, for which its line must send {rate:.2g} Mbit/s."
    )
    model = compute_model_bytes(rules.chunks)
    # a node trains, and checks a result's gradients now and then
    node = MemoryNeed("task", (model, model)).total / 1e9
    superlink = MemoryNeed("task", (model,), aggregates=True).total / 1e9
    yield (
        f"A node needs {node:,.1f} GB of memory at least, and more to train, as the app has it; the Superlink {superlink:,.1f} GB."
    )
    yield (
        f"A round takes {format_duration(rules.commit_period)} to train at most, and at least {rules.quorum} nodes, each with a "
        f"stake of {format_amount(rules.min_stake)} or more."
    )


def describe_cost(plan: TaskPlan) -> Iterator[str]:
    """Yield what a task may cost the DAO, a line each."""
    rules = plan.rules
    budget, most = format_amount(rules.round_budget), format_amount(Wei(rules.shards * rules.round_budget))
    if plan.funds:
        rounds = plan.funds // rules.round_budget
        yield f"It moves {format_amount(plan.funds)} of the treasury into escrow, for {rounds} rounds of at most {budget} each."
    else:
        yield f"It moves nothing now; a round pays at most {budget}."
    yield f"Its {rules.shards} shards are enough for as many rounds: {most} at most, where members fund them all."
    yield "A round pays for what lowered the loss alone; what is left in escrow goes where members say when they close the task."


def _find_shards(app: Path) -> Path:
    project = read_project(app)
    named = project.settings.get("shards") if project else None
    if not isinstance(named, str):
        raise ConfigError(
            f"--shards: expected a folder, or shards in [tool.commonweight] of {app / PROJECT_FILE}"
        )
    if not (app / named).is_dir():
        raise ConfigError(
            f"{app / named}: expected the folder of shards that {PROJECT_FILE} names; dao simulate makes it"
        )
    return app / named
