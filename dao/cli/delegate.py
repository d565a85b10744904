"""`dao delegate`: let tokens and stake vote, by oneself or by another."""

from enum import StrEnum
from typing import Annotated

import typer

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
from dao.cli.member import ApiOption, Outcome, YesOption, agree, finish
from dao.cli.member_session import acting
from dao.core.errors import ConfigError
from dao.core.formats.address import address_of
from dao.core.types import hex_of
from dao.gov.describe import delegation


class Of(StrEnum):
    """Which votes."""

    ALL = "all"
    TOKENS = "tokens"
    STAKE = "stake"


_CONTRACTS = {Of.TOKENS: "token", Of.STAKE: "registry"}
_WHERE = {"token": "your tokens in the wallet", "registry": "your staked tokens"}


def command(
    to: Annotated[
        str | None, typer.Argument(metavar="DELEGATE", help="Address of who votes; without, you yourself.")
    ] = None,
    of: Annotated[
        Of, typer.Option(help="Whose votes: of the wallet's tokens, of the stake, or of all there are.")
    ] = Of.ALL,
    api: ApiOption = None,
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    keystore: KeystoreOption = None,
    password_file: PasswordOption = None,
    dev_account: DevAccountOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Let your tokens and stake vote: they count only once they are delegated, to yourself or to someone you trust.

    No token moves, and you may delegate otherwise at any time; for a proposal counts how it was when voting began.

    Example: dao delegate --api https://dao.example --keystore me.json
    """
    delegatee = address_of(to, "DELEGATE") if to is not None else None
    account = Paying(keystore, password_file, dev_account)

    async def act() -> Outcome:
        async with acting(api, rpc, deployment, account) as way:
            contracts = [_CONTRACTS[of]] if of in _CONTRACTS else list(_WHERE)
            held = [name for name in contracts if of is not Of.ALL or await way.holds(name)]
            if not held:
                raise ConfigError(
                    f"{hex_of(way.account)}: has neither tokens nor stake, so no votes to delegate"
                )
            chosen = delegatee if delegatee is not None else way.account
            agree([delegation(_WHERE[contract], chosen, way.account) for contract in held], yes)
            outcome: Outcome = {"delegate": hex_of(chosen)}
            for contract in held:
                for key, value in (await way.delegate(contract, chosen)).items():
                    outcome[f"{contract}_{key}"] = value
            return outcome

    finish(act, json)
