"""`dao cancel`: withdraw a proposal of one's own."""

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
from dao.cli.member import ProposalArgument, YesOption
from dao.cli.member_session import decide, own


def command(
    proposal: ProposalArgument,
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    keystore: KeystoreOption = None,
    password_file: PasswordOption = None,
    dev_account: DevAccountOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Withdraw a proposal of your own before voting on it begins.

    Your account pays the gas: a governor takes no signature for this, so there is no --api.
    Example: dao cancel 8127 --keystore me.json
    """
    way = own(rpc, deployment, Paying(keystore, password_file, dev_account))
    decide(
        way, proposal, "Withdraw {}, which would:", lambda way, found: way.cancel(found), yes=yes, json=json
    )
