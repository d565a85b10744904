"""`dao vote`: vote on a proposal."""

from typing import Annotated

import typer

from dao.chain.governance import Support
from dao.cli.dao_member import DaoMember, Outcome, PublishedProposal
from dao.cli.member_session import MemberOptions, ProposalArgument, open_member, run_on_proposal
from dao.cli.option_groups import with_option_groups
from dao.errors import ConfigError
from dao.gov.texts import REASON_BYTES, check_size
from dao.gov.units import format_amount

CHOICES = {"for": Support.FOR, "against": Support.AGAINST, "abstain": Support.ABSTAIN}
_VERBS = {Support.FOR: "for", Support.AGAINST: "against", Support.ABSTAIN: "to abstain on"}


@with_option_groups
def command(
    proposal: ProposalArgument,
    choice: Annotated[str, typer.Argument(metavar="CHOICE", help="for, against or abstain.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; public for good.")] = "",
    options: MemberOptions,
) -> None:
    """Vote on a proposal while it is active. You see what it would do before you sign; a vote is final.

    Your votes on a proposal are those that were delegated to you when voting opened.

    Example: dao vote 8127 for --reason "as we agreed" --api https://dao.example --keystore me.json
    """
    support = CHOICES.get(choice)
    if support is None:
        raise ConfigError(f"CHOICE {choice[:40]}: expected for, against or abstain")
    check_size("--reason", reason, REASON_BYTES)

    async def vote(member: DaoMember, proposal: PublishedProposal) -> Outcome:
        return {"vote": choice, **await member.vote(proposal, support, reason)}

    async def describe_vote(member: DaoMember, proposal: PublishedProposal) -> list[str]:
        weight = f"Your vote counts {format_amount(await member.votes(proposal))}, and is final."
        return [weight, *([f"Your reason, public for good: {reason}"] if reason else [])]

    heading = f"Vote {_VERBS[support]} {{}}, which would:"
    run_on_proposal(open_member(options), proposal, heading, vote, options, note=describe_vote)
