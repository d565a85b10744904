"""`dao delegate`: delegate the votes of tokens and stake."""

from enum import StrEnum
from typing import Annotated

import typer

from dao.cli.confirmation import require_consent
from dao.cli.dao_member import Outcome
from dao.cli.member_session import MemberOptions, open_member, run
from dao.cli.option_groups import with_option_groups
from dao.core.formats.address import address_of
from dao.core.types import hex_of
from dao.errors import ConfigError
from dao.gov.describe import describe_delegation


class VoteSource(StrEnum):
    """Whose votes are delegated: the wallet's tokens', the stake's, or those of all there are."""

    ALL = "all"
    TOKENS = "tokens"
    STAKE = "stake"


_CONTRACTS = {VoteSource.TOKENS: "token", VoteSource.STAKE: "registry"}
_LABELS = {"token": "your tokens in the wallet", "registry": "your staked tokens"}


@with_option_groups
def command(
    to: Annotated[
        str | None,
        typer.Argument(metavar="DELEGATE", help="Account that votes for you.", show_default="you yourself"),
    ] = None,
    of: Annotated[
        VoteSource,
        typer.Option(help="Whose votes: of the wallet's tokens, of the stake, or of all there are."),
    ] = VoteSource.ALL,
    *,
    options: MemberOptions,
) -> None:
    """Delegate your votes, to yourself or to an account you trust: tokens and stake vote only once that is done.

    No token moves, and you may delegate otherwise at any time; your votes on a proposal are those you had when voting
    opened.

    Example: dao delegate --api https://dao.example --keystore me.json
    """
    delegatee = address_of(to, "DELEGATE") if to is not None else None

    async def delegate() -> Outcome:
        async with open_member(options) as member:
            named = [_CONTRACTS[of]] if of in _CONTRACTS else list(_LABELS)
            contracts = [name for name in named if of is not VoteSource.ALL or await member.holds(name)]
            if not contracts:
                raise ConfigError(
                    f"{hex_of(member.account)}: has neither tokens nor stake, so no votes to delegate"
                )
            target = delegatee if delegatee is not None else member.account
            words = [describe_delegation(_LABELS[name], target, member.account) for name in contracts]
            require_consent(words, options.yes)
            outcome: Outcome = {"delegate": hex_of(target)}
            for contract in contracts:
                for key, value in (await member.delegate(contract, target)).items():
                    outcome[f"{contract}_{key}"] = value
            return outcome

    run(delegate, options.json)
