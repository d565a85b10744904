"""`dao queue`: put an accepted proposal into the timelock."""

from dao.cli.deciding import (
    ApiOption,
    Outcome,
    ProposalArgument,
    YesOption,
    agree,
    finish,
    words_of,
)
from dao.cli.network import (
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
from dao.cli.ways import acting


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
    """Put an accepted proposal into the timelock, whose delay begins then. Anyone may, once voting is over.

    Example: dao queue 8127 --api https://dao.example --keystore me.json
    """
    account = Paying(keystore, password_file, dev_account)

    async def act() -> Outcome:
        async with acting(api, rpc, deployment, account) as way:
            found = await way.find(proposal)
            agree(
                [
                    f"Put “{found.title}” into the timelock, which then may:",
                    *words_of(found.actions, way.deployment),
                ],
                yes,
            )
            return {"proposal": str(found.number), **await way.queue(found)}

    finish(act, json)
