"""The commands by which a node comes to stand on chain: its key, its stake, its owner."""

import asyncio
from typing import Annotated

import typer

from dao.chain.block_clock import format_time
from dao.cli import options
from dao.cli.chain_options import RPC_DEFAULT
from dao.cli.node.node_options import HomeOption, OptionalOwner, Owner, load_settings
from dao.cli.option_groups import with_option_groups
from dao.cli.options import CopiedDeploymentOption, KeepStakeOption, RpcOption
from dao.cli.output import parse_tokens
from dao.core.formats.address import address_of
from dao.core.formats.reasons import format_tokens
from dao.core.types import Wei, hex_of
from dao.runtime.config import default_home


def init(
    home: HomeOption = None, rpc: RpcOption = RPC_DEFAULT, deployment: CopiedDeploymentOption = None
) -> None:
    """Make the node's folder with a new operator key. The network's file is copied into it.

    Example: dao node init --deployment deployment.json
    """
    from node import commands

    folder = home or default_home("node")
    address = commands.init(folder, rpc, deployment)
    typer.echo(f"operator {hex_of(address)} in {folder}")
    typer.echo("next: dao node register --owner-keystore FILE --stake TOKENS, then dao node join TASK …")


@with_option_groups
def register(
    owner: Owner,
    *,
    stake: Annotated[str | None, options.stake("the network's minimum, the first time")] = None,
    home: HomeOption = None,
) -> None:
    """Stake the owner's tokens behind this node until it has so many in all: a command that is repeated adds nothing.

    --stake may only be left out the first time.

    Example: dao node register --owner-keystore owner.json --stake 100
    """
    from node import commands

    amount, settings, signer = _wei(stake, "--stake"), load_settings(home), owner.signer()
    total = asyncio.run(commands.register(settings, signer, amount))
    least = "" if amount else "; the least that the network takes, as no --stake was given"
    typer.echo(f"stake {format_tokens(total)} tokens behind this node, owner {hex_of(signer.address)}{least}")


def consent(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Account of the owner to serve.")],
    home: HomeOption = None,
) -> None:
    """Agree to serve an owner's Supernode in its present operator's place; the owner shows it to dao owner rotate.

    Example: dao node consent 0x7099…
    """
    from dao.chain.staking import sign_consent

    operator, signature = sign_consent(load_settings(home), address_of(owner, "OWNER"))
    typer.echo(f"{hex_of(operator)} {hex_of(signature)}")


@with_option_groups
def unbond(owner: Owner, *, keep_stake: KeepStakeOption = "0", home: HomeOption = None) -> None:
    """Begin to take stake out, all but what is to be kept.

    Example: dao node unbond --owner-keystore owner.json --keep-stake 50
    """
    from node import commands

    keep, settings = parse_tokens(keep_stake, "--keep-stake"), load_settings(home)
    until = asyncio.run(commands.unbond(settings, owner.signer(), keep))
    typer.echo(f"unbonding until block time {until}, {format_time(until)}; then: dao node withdraw")


@with_option_groups
def withdraw(payer: OptionalOwner, *, home: HomeOption = None) -> None:
    """Send released stake to the owner.

    Example: dao node withdraw --owner-keystore owner.json
    """
    from node import commands

    sent = asyncio.run(commands.withdraw(load_settings(home), payer.signer()))
    typer.echo(f"{format_tokens(sent)} tokens sent to the owner")


def _wei(text: str | None, option: str) -> Wei | None:
    return None if text is None else parse_tokens(text, option, or_none=False)
