"""`dao challenge`: freeze a result that is wrong, for a bond, until the DAO decides."""

import asyncio
from typing import Annotated

import typer

from dao.chain.block_clock import format_time
from dao.chain.challenges import challenge_result, read_bond
from dao.cli.chain_options import ChainOptions, PayingAccount, open_sender
from dao.cli.confirmation import require_consent
from dao.cli.member_session import YesOption
from dao.cli.option_groups import with_option_groups
from dao.cli.options import TaskArgument
from dao.core.formats.reasons import format_tokens
from dao.core.types import RoundId, TaskId, Timestamp


@with_option_groups
def command(
    task: TaskArgument,
    round_id: Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="What is wrong with it, for those who vote.")],
    account: PayingAccount,
    network: ChainOptions,
    yes: YesOption = False,
) -> None:
    """Challenge a result: it is frozen for a bond, which comes back unless the DAO finds the result right.

    Example: dao challenge 1 7 --reason "my commit is left out, I have its receipt" --keystore me.json
    """
    place = TaskId(task), RoundId(round_id)

    async def run() -> Timestamp:
        async with open_sender(network, account) as (chain, sender):
            bond = format_tokens(await read_bond(chain, *place))
            words = (f"Challenge task {task} round {round_id}, for a bond of {bond} tokens:", f"  {reason}")
            require_consent(words, yes)
            return await challenge_result(chain, sender, *place, reason)

    until = format_time(asyncio.run(run()))
    print(f"task {task} round {round_id} is frozen; the DAO decides until {until}: dao propose --resolve")
