"""`dao cancel`: withdraw a proposal of one's own."""

from dao.cli.chain_options import ChainOptions, PayingAccount
from dao.cli.member_session import (
    MemberOptions,
    ProposalArgument,
    YesOption,
    open_paid_member,
    run_on_proposal,
)
from dao.cli.option_groups import with_option_groups
from dao.cli.options import JsonOption


@with_option_groups
def command(
    proposal: ProposalArgument,
    network: ChainOptions,
    account: PayingAccount,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Withdraw a proposal of your own before voting on it begins.

    Your account pays the gas: a governor takes no signature for this, so there is no --api.

    Example: dao cancel 8127 --keystore me.json
    """
    options = MemberOptions(network=network, account=account, yes=yes, json=json)
    heading = "Withdraw {}, which would:"
    run_on_proposal(
        open_paid_member(options), proposal, heading, lambda member, it: member.cancel(it), options
    )
