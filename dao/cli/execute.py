"""`dao execute`: carry out what was decided."""

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
from dao.cli.member import ApiOption, ProposalArgument, YesOption
from dao.cli.member_session import acting, decide


def command(
    proposal: ProposalArgument,
    api: ApiOption = None,
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    keystore: KeystoreOption = None,
    password_file: PasswordOption = None,
    dev_account: DevAccountOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Carry out a queued proposal once the timelock's delay is over. Anyone may.

    Example: dao execute 8127 --api https://dao.example --keystore me.json
    """
    way = acting(api, rpc, deployment, Paying(keystore, password_file, dev_account))
    decide(way, proposal, "Carry out {}:", lambda way, found: way.execute(found), yes=yes, json=json)
