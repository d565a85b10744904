"""`dao queue`: put an accepted proposal into the timelock."""

from dao.cli.member_session import MemberOptions, ProposalArgument, open_member, run_on_proposal
from dao.cli.option_groups import with_option_groups


@with_option_groups
def command(proposal: ProposalArgument, options: MemberOptions) -> None:
    """Put an accepted proposal into the timelock, whose delay begins then. Anyone may, once voting is over.

    Example: dao queue 8127 --api https://dao.example --keystore me.json
    """
    heading = "Put {} into the timelock, which then may:"
    run_on_proposal(open_member(options), proposal, heading, lambda member, it: member.queue(it), options)
