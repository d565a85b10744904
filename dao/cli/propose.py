"""`dao propose`: propose something to the DAO."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dao.cli import action_options
from dao.cli.chain_options import (
    DEPLOYMENT_DEFAULT,
    RPC_DEFAULT,
    DeploymentOption,
    DevAccountOption,
    JsonOption,
    KeystoreOption,
    PasswordOption,
    Paying,
    RpcOption,
)
from dao.cli.member import ApiOption, Outcome, YesOption, agree, finish
from dao.cli.member_session import acting
from dao.core.errors import ConfigError
from dao.gov.actions import ChangeRules, proposal_id

MAX_TITLE = 200  # characters
_Many = list[str] | None


def _many(name: str, metavar: str, help_: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(name, metavar=metavar, help=f"{help_} May be repeated.")
    return found


def command(
    title: Annotated[str, typer.Option(help="One line that says what it is about.")] = "",
    text: Annotated[str, typer.Option(help="Why, in plain text with line breaks; or @FILE.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            help='JSON: {"title", "description", "actions": [{"kind", "fields"}]}; see docs/member.md.'
        ),
    ] = None,
    grant: Annotated[_Many, _many("--grant", "ADDRESS=TOKENS", "Pay tokens of the treasury.")] = None,
    fund: Annotated[
        _Many, _many("--fund", "TASK=TOKENS", "Move tokens of the treasury into a task's escrow.")
    ] = None,
    admit: Annotated[_Many, _many("--admit", "TASK=OWNER", "Let an owner take part in a task.")] = None,
    expel: Annotated[_Many, _many("--expel", "TASK=OWNER", "Let an owner take part no longer.")] = None,
    superlink: Annotated[
        _Many, _many("--replace-superlink", "TASK=ADDRESS", "Have another Superlink serve a task.")
    ] = None,
    close: Annotated[
        _Many,
        _many("--close-task", "TASK=ADDRESS", "End a task; what is left of its escrow goes to the address."),
    ] = None,
    resolve: Annotated[
        _Many, _many("--resolve", "TASK/ROUND=valid|void", "Decide a challenged result.")
    ] = None,
    setting: Annotated[
        _Many,
        _many(
            *("--set", "NAME=VALUE"),
            f"Change how is decided: {', '.join(action_options.SETTINGS)} (seconds; tokens of votes; percent).",
        ),
    ] = None,
    rule: Annotated[
        _Many,
        _many(
            *("--rule", "TASK:NAME=VALUE"),
            f"Change a rule of a task's coming rounds: {', '.join(action_options.RULES)} (seconds; commits; tokens).",
        ),
    ] = None,
    api: ApiOption = None,
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    keystore: KeystoreOption = None,
    password_file: PasswordOption = None,
    dev_account: DevAccountOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Propose something to the DAO. What would be executed is said in words, and tried, before you sign.

    It takes as many votes as the network asks of proposers. Voting begins after the voting delay; what was accepted is
    queued, then executed.

    Example: dao propose --title "Pay the auditors" --grant 0x7099…=250 --api https://dao.example --keystore me.json
    """
    given = {
        "grant": grant,
        "fund": fund,
        "admit": admit,
        "expel": expel,
        "superlink": superlink,
        "close": close,
        "resolve": resolve,
        "setting": setting,
    }
    filed = action_options.from_file(file) if file is not None else ("", "", [])
    actions = [*filed[2]]
    for name, values in given.items():
        actions += [action_options.OPTIONS[name](value) for value in values or ()]
    heading = (title or filed[0]).strip()
    body = _body(text) or filed[1]
    changes = action_options.changes(rule or ())
    if not actions and not changes:
        raise ConfigError("nothing to propose: expected --file, --grant or another action; see --help")
    if not heading or "\n" in heading or len(heading) > MAX_TITLE:
        raise ConfigError(f"--title: expected one line of 1 to {MAX_TITLE} characters")
    account = Paying(keystore, password_file, dev_account)

    async def act() -> Outcome:
        async with acting(api, rpc, deployment, account) as way:
            rules = [
                ChangeRules(task, replace(await way.rules(task), **others))
                for task, others in changes.items()
            ]
            draft = await way.draft(heading, body, [*actions, *rules])
            words = [f"- {line}" for line in draft.words]
            warnings = [f"WARNING: {line}" for line in draft.warnings]
            agree([f"Propose “{heading}”, which would:", *words, *warnings], yes)
            number = proposal_id(draft.actions, draft.description)
            return {"proposal": str(number), **await way.propose(draft)}

    finish(act, json)


def _body(text: str) -> str:
    return Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
