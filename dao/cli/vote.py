"""`dao vote`: vote on a proposal."""

from typing import Annotated

import typer

from dao.chain.governance import Support
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
from dao.cli.member import ApiOption, Found, Outcome, ProposalArgument, Way, YesOption
from dao.cli.member_session import acting, decide
from dao.core.errors import ConfigError
from dao.gov.units import amount

CHOICES = {"for": Support.FOR, "against": Support.AGAINST, "abstain": Support.ABSTAIN}
_VERBS = {Support.FOR: "for", Support.AGAINST: "against", Support.ABSTAIN: "to abstain on"}
MAX_REASON = 2000  # characters


def command(
    proposal: ProposalArgument,
    choice: Annotated[str, typer.Argument(metavar="CHOICE", help="for, against or abstain.")],
    reason: Annotated[str, typer.Option(help="Why; public for good.")] = "",
    api: ApiOption = None,
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    keystore: KeystoreOption = None,
    password_file: PasswordOption = None,
    dev_account: DevAccountOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Vote on a proposal while it is active. What it would do is said before you sign; a vote is final.

    What counts are the votes that were delegated to you when voting began.

    Example: dao vote 8127 for --reason "as we agreed" --api https://dao.example --keystore me.json
    """
    support = CHOICES.get(choice)
    if support is None:
        raise ConfigError(f"CHOICE {choice[:40]}: expected for, against or abstain")
    if len(reason) > MAX_REASON:
        raise ConfigError(f"--reason: expected at most {MAX_REASON} characters")
    way = acting(api, rpc, deployment, Paying(keystore, password_file, dev_account))

    async def act(way: Way, found: Found) -> Outcome:
        return {"vote": choice, **await way.vote(found, support, reason)}

    async def note(way: Way, found: Found) -> list[str]:
        counted = f"Your vote counts {amount(await way.votes(found))}, and is final."
        return [counted, *([f"Your reason, public for good: {reason}"] if reason else [])]

    decide(way, proposal, f"Vote {_VERBS[support]} {{}}, which would:", act, note=note, yes=yes, json=json)
