"""`dao execute`: execute a queued proposal."""

from dao.cli.member_session import MemberOptions, ProposalArgument, open_member, run_on_proposal
from dao.cli.option_groups import with_option_groups


@with_option_groups
def command(proposal: ProposalArgument, options: MemberOptions) -> None:
    """Execute a queued proposal once the timelock's delay is over. Anyone may.

    Example: dao execute 8127 --api https://dao.example --keystore me.json
    """
    run_on_proposal(
        open_member(options), proposal, "Execute {}:", lambda member, it: member.execute(it), options
    )
