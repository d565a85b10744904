"""`dao challenge`: prove a wrong result on chain, or freeze it for a bond until the DAO decides."""

import asyncio
from typing import Annotated

import typer

from dao.audit.accusing import Proof, find_proof, require_standing
from dao.audit.findings import Missing
from dao.chain.block_clock import format_time
from dao.chain.challenges import challenge_result, read_bond
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.convictions import convict_result
from dao.chain.demanding import demand_leaf, end_demand, read_demand, read_demand_bond
from dao.chain.gradient_votes import accuse_gradients
from dao.chain.sender import Sender
from dao.cli.chain_options import ChainOptions, PayingAccount, open_sender
from dao.cli.confirmation import require_consent
from dao.cli.content_options import ContentOptions
from dao.cli.member_session import YesOption
from dao.cli.option_groups import with_option_groups
from dao.cli.options import TaskArgument
from dao.core.formats.reasons import format_tokens
from dao.core.types import RoundId, TaskId, Wei
from dao.errors import RuleError
from dao.proofs.leaf_places import LeafPlace, parse_place

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
    demand: Annotated[
        str | None,
        typer.Option(
            "--demand",
            metavar="TREE:INDEX",
            help="A leaf that nobody shows, as rows:3, update:0:17 or medians: have the Superlink show it on chain, or lose.",
        ),
    ] = None,
    gradients: Annotated[
        bool,
        typer.Option(
            "--gradients",
            help="Have jurors vote whether its gradients are the app's, for a bond of your Supernode's stake: sign as its operator.",
        ),
    ] = False,
    account: PayingAccount,
    network: ChainOptions,
    content: ContentOptions,
    yes: YesOption = False,
) -> None:
    """Prove a result wrong: the chain checks the proof, the Superlink loses its bond, a part of it is yours.

    Where content that the result binds cannot be had, a --demand has it shown on chain: for a bond in the chain's coin, which
    pays for the answer. Without an answer in time the same command, sent again, proves the result wrong.

    A gradient that is not the app's no proof can show: Supernodes that the chain draws vote on it, by --gradients. What else no
    proof can show is for the DAO: with a --reason, the result is frozen for a bond, which comes back unless the DAO finds
    the result right.

    Example: dao challenge 1 7 --superlink superlink.example:8600 --keystore me.json
    """
    place = TaskId(task), RoundId(round_id)
    leaf = None if demand is None else parse_place(demand)
    if (leaf is not None) + (reason is not None) + gradients > 1:
        raise RuleError("--demand, --gradients and --reason: expected one of them")

    async def run() -> str:
        async with open_sender(network, account) as (chain, sender):
            if reason is not None:
                return await _freeze(chain, sender, place, reason, yes)
            if leaf is not None:
                return await _demand(chain, sender, place, leaf, yes)
            if gradients:
                return await _accuse_gradients(chain, sender, place, yes)
            await require_standing(chain, *place)
            async with content.open(chain.domain) as source:
                try:
                    proof = await find_proof(chain, source, *place)
                except Missing as error:
                    raise RuleError(f"task {task} round {round_id}: {error}") from None
            if proof is None:
                raise RuleError(
                    f"task {task} round {round_id}: no prover holds anything against its commits, rows and accounts; "
                    "see what differs: dao audit; a gradient is for jurors: dao challenge --gradients; what else no proof can show "
                    "is for the DAO: dao challenge --reason"
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


async def _demand(chain: Chain, sender: Sender, place: Place, leaf: LeafPlace, yes: bool) -> str:
    """Demand a leaf; where that was demanded before and is overdue, end the demand, which proves the result wrong."""
    task, round_id = place
    before = await read_demand(chain, *place, leaf)
    if before.is_open:
        if chain.final().timestamp < before.deadline:
            until = format_time(before.deadline)
            raise RuleError(
                f"task {task} round {round_id}: {leaf} may be answered until {until}; then send this again"
            )
        require_consent((f"End the overdue demand of {leaf} in task {task} round {round_id}.",), yes)
        ended = await end_demand(chain, sender, *place, leaf)
        fate = "is void: nobody showed it" if ended.convicted else "stood no longer, and the bond went back"
        return f"task {task} round {round_id} {fate}"
    bond = await read_demand_bond(chain, leaf)
    words = (f"Demand {leaf} of task {task} round {round_id}, for a bond of {format_tokens(bond)} coins.",)
    require_consent(words, yes)
    demanded = await demand_leaf(chain, sender, *place, leaf)
    until = format_time(demanded.deadline)
    return f"{leaf} of task {task} round {round_id} is demanded; it may be answered until {until}, then send this again"


async def _accuse_gradients(chain: Chain, sender: Sender, place: Place, yes: bool) -> str:
    task, round_id = place
    rules = await Coordinator(chain).rules_of_round(*place, chain.final())
    bond = format_tokens(Wei(min(rules.challenge_bond, rules.min_stake)))
    words = (
        f"Accuse the gradients of task {task} round {round_id}, for {bond} tokens of this Supernode's stake:",
        "  they are lost if the jurors find the gradients right.",
    )
    require_consent(words, yes)
    accused = await accuse_gradients(chain, sender, *place)
    ends = format_time(accused.commit_end), format_time(accused.reveal_end)
    return f"task {task} round {round_id}: jurors commit to votes until {ends[0]}, and reveal them until {ends[1]}"


async def _convict(chain: Chain, sender: Sender, place: Place, proof: Proof, yes: bool) -> str:
    task, round_id = place
    words = (
        f"Prove task {task} round {round_id} wrong, in {2 + len(proof.records)} transactions, with a proof of {len(proof.accusation.proof)} bytes:",
        f"  {proof.words}",
    )
    require_consent(words, yes)
    convicted = await convict_result(
        chain, sender, proof.accusation, proof.result, proof.statement, proof.records
    )
    return (
        f"task {task} round {round_id} is void; its Superlink lost {format_tokens(convicted.slashed)} tokens, "
        f"of which you got {format_tokens(convicted.paid)}"
    )
