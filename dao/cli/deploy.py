"""`dao deploy`: put a network's contracts on a chain."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from dao.chain.client import Chain
from dao.chain.deploy import Params, deploy, grant
from dao.chain.deployment import ADDRESSES, Deployment
from dao.chain.handover import hand_over
from dao.chain.sender import Sender
from dao.cli.chain_options import RPC_DEFAULT, PayingAccount, account_folder
from dao.cli.option_groups import with_option_groups
from dao.cli.options import OUT, JsonOption, RpcOption
from dao.cli.output import parse_tokens, print_fields, print_json
from dao.core.formats.address import address_of
from dao.core.types import Address, Wei, hex_of
from dao.errors import ConfigError
from dao.runtime.locks import chain_name, only_daemon

DAY = 86_400


@with_option_groups
def command(
    out: Annotated[Path, OUT] = Path("deployment.json"),
    rpc: RpcOption = RPC_DEFAULT,
    *,
    account: PayingAccount,
    name: Annotated[str, typer.Option(help="The token's name.")] = "Commonweight",
    symbol: Annotated[str, typer.Option(help="The token's symbol.")] = "CWT",
    supply: Annotated[
        str, typer.Option(help="All tokens there will ever be; the timelock gets them.")
    ] = "1000000000",
    network_min_stake: Annotated[
        str,
        typer.Option(help="Stake that a Supernode needs at least, whatever its task asks for, in tokens."),
    ] = "1",
    unbonding_period: Annotated[
        int, typer.Option(min=1, help="Seconds that stake stays locked on its way out.")
    ] = 7 * DAY,
    timelock_delay: Annotated[
        int, typer.Option(min=0, help="Seconds between what the DAO decides and what the timelock does.")
    ] = DAY,
    founder: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS=TOKENS", help="A first member and its tokens; once for each."),
    ] = None,
    voting_delay: Annotated[int, typer.Option(min=0, help="Seconds from a proposal to its voting.")] = 3600,
    voting_period: Annotated[int, typer.Option(min=1, help="Seconds of voting.")] = 2 * DAY,
    threshold: Annotated[str, typer.Option(help="Votes that a proposer needs, in tokens.")] = "1",
    voting_quorum: Annotated[
        int,
        typer.Option(
            min=1, max=100, help="Percent of the tokens outside treasury and escrows that must vote."
        ),
    ] = 4,
    late_extension: Annotated[
        int, typer.Option(min=0, help="Least seconds of voting that are left once the quorum is reached.")
    ] = DAY // 2,
    json: JsonOption = False,
) -> None:
    """Put a network's contracts on a chain, give the founders their tokens, and hand everything over to their votes.

    Everyone who joins needs the file that --out names: it has the contracts' addresses. The account pays the gas and keeps no right to anything: afterwards only proposals that members accept change the
    network. Founders delegate (to themselves or others) before they vote. An interrupted deployment goes on where it
    was when the command is repeated.

    Example: dao deploy --rpc wss://node.example --keystore dao.json --password-file dao.password --founder 0x…=1000
    """
    if out.exists():
        raise ConfigError(f"{out}: already holds a deployment; name another file by --out")
    params = Params(
        name,
        symbol,
        parse_tokens(supply, "--supply"),
        parse_tokens(network_min_stake, "--network-min-stake"),
        unbonding_period,
        voting_delay=voting_delay,
        voting_period=voting_period,
        threshold=parse_tokens(threshold, "--threshold"),
        quorum_percent=voting_quorum,
        late_extension=late_extension,
    )
    if late_extension > voting_period:
        raise ConfigError(
            f"--late-extension {late_extension}: expected at most --voting-period {voting_period}"
        )
    founders = _founders(founder or [], params.supply)
    deployment = asyncio.run(_deploy(rpc, account, params, founders, timelock_delay, out))
    fields: dict[str, object] = {
        "deployment": str(out),
        "chain_id": deployment.chain_id,
        **{name: hex_of(getattr(deployment, name)) for name in ADDRESSES},
        "handed_over": True,
    }
    (print_json if json else print_fields)(fields)


async def _deploy(
    rpc: str,
    account: PayingAccount,
    params: Params,
    founders: dict[Address, Wei],
    timelock_delay: int,
    out: Path,
) -> Deployment:
    async with await Chain.connect(rpc) as chain:
        signer, name = account.signer(chain.chain_id), chain_name(chain.chain_id, rpc)
    home = account_folder(out, signer.address)
    with only_daemon(home, signer.address, name):
        database = home / f"{out.name}.db"
        deployment = await deploy(rpc, signer, params, database)
        async with await Chain.connect(rpc, deployment) as chain, Sender(chain, signer, database) as sender:
            await grant(chain, sender, founders, "founders")
            await hand_over(chain, sender, timelock_delay)
    deployment.save(out)
    return deployment


def _founders(texts: list[str], supply: Wei) -> dict[Address, Wei]:
    """Read ADDRESS=TOKENS; ConfigError when there is none, one twice, or more than there is."""
    if not texts:
        raise ConfigError("--founder: expected at least one ADDRESS=TOKENS, or nobody could ever vote")
    founders: dict[Address, Wei] = {}
    for text in texts:
        address, equals, amount = text.partition("=")
        account, wei = (
            address_of(address, "--founder"),
            parse_tokens(amount, "--founder") if equals else Wei(0),
        )
        if not wei or account in founders:
            raise ConfigError(f"--founder {text}: expected ADDRESS=TOKENS, more than 0, each address once")
        founders[account] = wei
    if sum(founders.values()) > supply:
        raise ConfigError("--founder: all together are given more than --supply; give less")
    return founders
