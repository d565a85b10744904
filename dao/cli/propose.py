"""`dao propose`: propose something to the DAO."""

import asyncio
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from dao.cli import action_options as read
from dao.cli.dao_member import DaoMember, Outcome
from dao.cli.member_session import MemberOptions, check_title, open_member, run, sign_proposal
from dao.cli.option_groups import with_option_groups
from dao.cli.rule_options import CHANGEABLE_NAMES
from dao.core.types import TaskId
from dao.errors import ConfigError
from dao.gov.actions import Action, AppendShards, ChangeRules
from dao.gov.texts import DESCRIPTION_BYTES, check_size

_Texts = list[str] | None


def _repeatable(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=f"{text} May be repeated.")


@dataclass(frozen=True)
class ActionOptions:
    """Actions by option; the names of the fields are those of the readers in `dao.cli.action_options`."""

    grant: Annotated[_Texts, _repeatable("--grant", "ADDRESS=TOKENS", "Pay tokens of the treasury.")] = None
    fund: Annotated[
        _Texts, _repeatable("--fund", "TASK=TOKENS", "Move tokens of the treasury into a task's escrow.")
    ] = None
    admit: Annotated[_Texts, _repeatable("--admit", "TASK=OWNER", "Let an owner take part in a task.")] = None
    expel: Annotated[_Texts, _repeatable("--expel", "TASK=OWNER", "Let an owner take part no longer.")] = None
    superlink: Annotated[
        _Texts, _repeatable("--replace-superlink", "TASK=ADDRESS", "Have another Superlink serve a task.")
    ] = None
    close: Annotated[
        _Texts,
        _repeatable(
            "--close-task", "TASK=ADDRESS", "End a task; what is left of its escrow goes to the address."
        ),
    ] = None
    resolve: Annotated[
        _Texts, _repeatable("--resolve", "TASK/ROUND=valid|void", "Decide a challenged result.")
    ] = None
    setting: Annotated[
        _Texts,
        _repeatable(
            *("--set", "NAME=VALUE"),
            f"Change how the DAO decides: {', '.join(read.SETTINGS)} (seconds; tokens of votes; percent).",
        ),
    ] = None

    def read(self) -> list[Action]:
        """Return the actions; ConfigError names the option that is wrong."""
        return [
            getattr(read, f"read_{option.name}")(text)
            for option in fields(self)
            for text in getattr(self, option.name) or ()
        ]


@with_option_groups
def command(
    title: Annotated[str, typer.Option(help="One line that says what it is about.")] = "",
    text: Annotated[str, typer.Option(help="Why, in plain text with line breaks; or @FILE.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            help='JSON: {"title", "description", "actions": [{"kind", "fields"}]}; see docs/member.md.'
        ),
    ] = None,
    *,
    by_option: ActionOptions,
    rule: Annotated[
        _Texts,
        _repeatable(
            *("--rule", "TASK:NAME=VALUE"),
            f"Change a rule of a task's coming rounds: {', '.join(CHANGEABLE_NAMES)} (seconds; commits; tokens).",
        ),
    ] = None,
    append_shards: Annotated[
        _Texts,
        _repeatable(
            *("--append-shards", "TASK=FOLDER"),
            "Give a task more validation shards: a folder with its own, and new ones behind them by name.",
        ),
    ] = None,
    options: MemberOptions,
) -> None:
    """Propose something to the DAO. Before you sign, you see in words what would be executed, and it is tried.

    It takes as many votes as the network asks of proposers. Voting begins after the voting delay; an accepted proposal
    is queued, then executed.

    Example: dao propose --title "Pay the auditors" --grant 0x7099…=250 --api https://dao.example --keystore me.json
    """
    file_title, file_text, file_actions = read.read_file(file) if file is not None else ("", "", [])
    actions = [*file_actions, *by_option.read()]
    heading = (title or file_title).strip()
    body = _read_text(text) or file_text
    changes = read.read_rules(rule or ())
    folders = [read.read_folder(text) for text in append_shards or ()]
    if not actions and not changes and not folders:
        raise ConfigError("nothing to propose: expected --file, --grant or another action; see --help")
    check_title(heading)
    check_size("--text", body, DESCRIPTION_BYTES)

    async def propose() -> Outcome:
        async with open_member(options) as member:
            rules = [
                ChangeRules(task, replace(await member.rules(task), **changed))
                for task, changed in changes.items()
            ]
            appended = [await _append(member, *one) for one in folders]
            draft = await member.draft(heading, body, [*actions, *rules, *appended])
            return await sign_proposal(member, draft, f"Propose “{heading}”, which would:", options)

    run(propose, options.json)


async def _append(member: DaoMember, task: TaskId, folder: Path) -> AppendShards:
    """Return what appends a folder's new shards; ConfigError where its first ones are not the task's."""
    from dao.app.shards import read_shards

    shards = await asyncio.to_thread(read_shards, folder)
    return AppendShards(task, *shards.prove_more(await member.rules(task)))


def _read_text(text: str) -> str:
    return Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
