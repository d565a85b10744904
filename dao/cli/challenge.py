"""`dao challenge`: prove a wrong result on chain, or freeze it for a bond until the DAO decides."""

import asyncio
from typing import Annotated

import typer

from dao.audit.accusing import Proof, find_proof, require_standing
from dao.audit.findings import Missing
from dao.chain.block_clock import format_time
from dao.chain.challenges import challenge_result, read_bond
from dao.chain.client import Chain
from dao.chain.convictions import convict_result
from dao.chain.sender import Sender
from dao.cli.chain_options import ChainOptions, PayingAccount, open_sender
from dao.cli.confirmation import require_consent
from dao.cli.content_options import ContentOptions
from dao.cli.member_session import YesOption
from dao.cli.option_groups import with_option_groups
from dao.cli.options import TaskArgument
from dao.core.formats.reasons import format_tokens
from dao.core.types import RoundId, TaskId
from dao.errors import RuleError

Place = tuple[TaskId, RoundId]


@with_option_groups
def command(
    task: TaskArgument,
    round_id: Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.")],
    *,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason",
            help="What is wrong with it, for those who vote: freeze it for a bond instead of proving it wrong.",
        ),
    ] = None,
    account: PayingAccount,
    network: ChainOptions,
    content: ContentOptions,
    yes: YesOption = False,
) -> None:
    """Prove a result wrong: the chain checks the proof, the Superlink loses its bond, a part of it is yours.

    What no proof can show yet, such as a gradient that is not the app's, is for the DAO: with a --reason, the result is
    frozen for a bond, which comes back unless the DAO finds the result right.

    Example: dao challenge 1 7 --superlink superlink.example:8600 --keystore me.json
    """
    place = TaskId(task), RoundId(round_id)

    async def run() -> str:
        async with open_sender(network, account) as (chain, sender):
            if reason is not None:
                return await _freeze(chain, sender, place, reason, yes)
            await require_standing(chain, *place)
            async with content.open(chain.domain) as source:
                try:
                    proof = await find_proof(chain, source, *place)
                except Missing as error:
                    raise RuleError(f"task {task} round {round_id}: {error}") from None
            if proof is None:
                raise RuleError(
                    f"task {task} round {round_id}: no prover holds anything against its commits, rows and accounts; "
                    "see what differs: dao audit; what no proof can show is for the DAO: dao challenge --reason"
                )
            return await _convict(chain, sender, place, proof, yes)

    print(asyncio.run(run()))


async def _freeze(chain: Chain, sender: Sender, place: Place, reason: str, yes: bool) -> str:
    task, round_id = place
    bond = format_tokens(await read_bond(chain, *place))
    words = (f"Challenge task {task} round {round_id}, for a bond of {bond} tokens:", f"  {reason}")
    require_consent(words, yes)
    until = format_time(await challenge_result(chain, sender, *place, reason))
    return f"task {task} round {round_id} is frozen; the DAO decides until {until}: dao propose --resolve"


async def _convict(chain: Chain, sender: Sender, place: Place, proof: Proof, yes: bool) -> str:
    task, round_id = place
    words = (
        f"Prove task {task} round {round_id} wrong, in two transactions and {len(proof.accusation.proof)} bytes:",
        f"  {proof.words}",
    )
    require_consent(words, yes)
    convicted = await convict_result(chain, sender, proof.accusation, proof.result, proof.statement)
    return (
        f"task {task} round {round_id} is void; its Superlink lost {format_tokens(convicted.slashed)} tokens, "
        f"of which you got {format_tokens(convicted.paid)}"
    )
