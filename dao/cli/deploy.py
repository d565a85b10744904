"""`dao deploy`: puts a network's contracts on a chain."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from dao.chain.client import Chain
from dao.chain.deploy import Params, deploy
from dao.chain.deployment import Deployment
from dao.cli.network import (
    RPC_DEFAULT,
    DevAccountOption,
    JsonOption,
    KeystoreOption,
    PasswordOption,
    Paying,
    RpcOption,
    account_folder,
)
from dao.cli.output import print_fields, print_json, tokens
from dao.core.errors import ConfigError
from dao.core.types import hex_of
from dao.lock import only_daemon

DAY = 86_400


def command(
    out: Annotated[Path, typer.Option(help="Where to write the addresses, for everyone who joins.")] = Path(
        "deployment.json"
    ),
    rpc: RpcOption = RPC_DEFAULT,
    keystore: KeystoreOption = None,
    password_file: PasswordOption = None,
    dev_account: DevAccountOption = None,
    name: Annotated[str, typer.Option(help="The token's name.")] = "Commonweight",
    symbol: Annotated[str, typer.Option(help="The token's symbol.")] = "CWT",
    supply: Annotated[
        str, typer.Option(help="All tokens there will ever be; the timelock gets them.")
    ] = "1000000000",
    minimum_stake: Annotated[str, typer.Option(help="Least stake of a Supernode, in tokens.")] = "1",
    unbonding_period: Annotated[
        int, typer.Option(min=1, help="Seconds that stake stays locked on its way out.")
    ] = 7 * DAY,
    min_delay: Annotated[
        int, typer.Option(min=0, help="Seconds between what the DAO decides and what the timelock does.")
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Put a network's contracts on a chain: token, registry, coordinator, distributor, and the timelock that owns them.

    The account pays the gas, and proposes and executes for the timelock afterwards. An interrupted deployment goes on
    where it was when the command is repeated.

    Example: dao deploy --rpc wss://node.example --keystore dao.json --password-file dao.password --out deployment.json
    """
    if out.exists():
        raise ConfigError(f"{out}: already holds a deployment; name another file by --out")
    params = Params(
        name,
        symbol,
        tokens(supply, "--supply"),
        tokens(minimum_stake, "--minimum-stake"),
        unbonding_period,
        min_delay,
    )
    made = asyncio.run(_deploy(rpc, Paying(keystore, password_file, dev_account), params, out))
    fields: dict[str, object] = {
        "deployment": str(out),
        "chain_id": made.chain_id,
        **{
            name: hex_of(getattr(made, name))
            for name in ("token", "registry", "coordinator", "distributor", "timelock")
        },
    }
    (print_json if json else print_fields)(fields)


async def _deploy(rpc: str, account: Paying, params: Params, out: Path) -> Deployment:
    async with await Chain.connect(rpc) as chain:
        signer = account.signer(chain.chain_id)
    home = account_folder(out, signer.address)
    with only_daemon(home, signer.address):
        made = await deploy(rpc, signer, params, home / f"{out.name}.db")
    made.save(out)
    return made
