"""`dao owner`: what the owner of Supernodes does by its key alone, on a machine without any file of theirs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import typer

from dao.chain import ownership, staking
from dao.chain.block_clock import format_time
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, SupernodeStake
from dao.chain.sender import Sender
from dao.cli.chain_options import ChainOptions, OwnerAccount, open_chain, open_sender
from dao.cli.content_options import ContentOptions
from dao.cli.option_groups import with_option_groups
from dao.cli.options import JsonOption, KeepStakeOption, TaskArgument
from dao.cli.output import parse_tokens, print_json, print_table
from dao.core.formats.address import address_of
from dao.core.formats.reasons import format_tokens
from dao.core.types import Address, TaskId, bytes_of, hex_of
from dao.errors import ConfigError

app = typer.Typer(no_args_is_help=True)

OperatorOption = Annotated[
    str | None,
    typer.Option(
        "--operator",
        help="An operator that the Supernode has or had.",
        show_default="that of the owner's only Supernode",
    ),
]
SIGNATURE = 65  # bytes


@dataclass(frozen=True)
class Holding:
    """The owner's key, the network, and which of its Supernodes is meant."""

    owner: OwnerAccount
    network: ChainOptions
    operator: OperatorOption = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Chain, Sender, SupernodeStake]]:
        """Connect, and find the Supernode."""
        named = None if self.operator is None else address_of(self.operator, "--operator")
        async with open_sender(self.network, self.owner) as (chain, sender):
            yield chain, sender, await ownership.find_supernode(chain, sender.address, named)


@app.command()
@with_option_groups
def ls(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Account of the owner.")],
    *,
    network: ChainOptions,
    json: JsonOption = False,
) -> None:
    """List an owner's Supernodes: operator, stake, tasks. It takes no key.

    Example: dao owner ls 0x7099…
    """
    address = address_of(owner, "OWNER")

    async def read() -> list[dict[str, object]]:
        async with open_chain(network) as chain:
            seats = await ownership.list_seats(chain, address)
            found = await ownership.list_supernodes(chain, address)
        return [_show(supernode, seats) for supernode in found]

    rows = asyncio.run(read())
    if json:
        print_json(rows)
    else:
        print_table(rows, f"owner {hex_of(address)}: no Supernode yet")


@app.command()
@with_option_groups
def rotate(
    successor: Annotated[str, typer.Argument(metavar="NEW", help="Account of the new operator.")],
    consent: Annotated[
        str, typer.Argument(metavar="CONSENT", help="Its signature: dao node consent prints both.")
    ],
    *,
    holding: Holding,
) -> None:
    """Replace a Supernode's operator at once, in its tasks too. The stake stays, and answers for what the old one signed.

    Example: dao owner rotate 0x15d3… 0x5f2c… --owner-keystore owner.json
    """
    new, signature = address_of(successor, "NEW"), bytes_of(consent, SIGNATURE, "CONSENT")

    async def run() -> tuple[Address, list[ownership.Move]]:
        async with holding.open() as (chain, sender, supernode):
            return supernode.operator, await ownership.rotate(chain, sender, supernode, new, signature)

    old, moves = asyncio.run(run())
    print(f"operator {hex_of(new)}; {hex_of(old)} signs nothing for rounds that open from now on")
    for move in moves:
        print(
            f"task {move.task}: {'left; not joined: ' + move.trouble if move.trouble else 'goes on with it'}"
        )


@app.command()
@with_option_groups
def revoke(*, holding: Holding) -> None:
    """Revoke a Supernode's operator at once, and leave its tasks. The stake stays: rotate to another operator, or unbond.

    Example: dao owner revoke --owner-keystore owner.json
    """

    async def run() -> tuple[Address, list[TaskId]]:
        async with holding.open() as (chain, sender, supernode):
            return supernode.operator, await ownership.revoke(chain, sender, supernode)

    old, tasks = asyncio.run(run())
    print(f"operator {hex_of(old)} revoked: it signs nothing for rounds that open from now on")
    for task in tasks:
        print(f"task {task}: left")


@app.command()
@with_option_groups
def join(task: TaskArgument, *, holding: Holding) -> None:
    """Have a Supernode take part in a task; its daemon needs the task's settings, as dao node join writes them.

    Example: dao owner join 1 --owner-keystore owner.json
    """

    async def run() -> None:
        async with holding.open() as (chain, sender, supernode):
            coordinator, operator = Coordinator(chain), supernode.operator
            if not await coordinator.is_joined(TaskId(task), operator, chain.final()):
                await sender.send(coordinator.join(TaskId(task), operator))

    asyncio.run(run())
    print(f"joined task {task}")


@app.command()
@with_option_groups
def leave(task: TaskArgument, *, owner: OwnerAccount, network: ChainOptions) -> None:
    """Take the owner's Supernode out of a task.

    Example: dao owner leave 1 --owner-keystore owner.json
    """

    async def run() -> None:
        async with open_sender(network, owner) as (chain, sender):
            await ownership.leave(chain, sender, sender.address, TaskId(task))

    asyncio.run(run())
    print(f"left task {task}")


@app.command()
@with_option_groups
def claim(
    task: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="TASK", help="Numbers of tasks.", show_default="all that the owner ever joined"
        ),
    ] = None,
    *,
    owner: OwnerAccount,
    network: ChainOptions,
    content: ContentOptions,
) -> None:
    """Have the owner paid for all finalized rounds.

    Example: dao owner claim 1 --superlink superlink.example:8600 --owner-keystore owner.json
    """
    if not content.are_named:
        raise ConfigError("content: from where? Name --superlink, --store, --ipfs or --gateway")

    async def run() -> None:
        from node.rewards import claim_due, finalize_due

        async with open_sender(network, owner) as (chain, sender), content.open(chain.domain) as store:
            known = await ownership.list_tasks(chain, sender.address)
            for number in [TaskId(one) for one in task or ()] or known:
                first = await finalize_due(chain, sender, number)
                paid = await claim_due(chain, sender, store, number, sender.address)
                print(f"task {number}: {_say_paid(paid, first)}", flush=True)

    asyncio.run(run())


@app.command()
@with_option_groups
def unbond(*, keep_stake: KeepStakeOption = "0", holding: Holding) -> None:
    """Begin to take stake out, all but what is to be kept.

    Example: dao owner unbond --owner-keystore owner.json --keep-stake 50
    """
    keep = parse_tokens(keep_stake, "--keep-stake")

    async def run() -> int:
        async with holding.open() as (chain, sender, supernode):
            return await staking.start_unbonding(chain, sender, supernode.operator, keep)

    until = asyncio.run(run())
    print(f"unbonding until block time {until}, {format_time(until)}; then: dao owner withdraw")


@app.command()
@with_option_groups
def withdraw(*, holding: Holding) -> None:
    """Send released stake to the owner.

    Example: dao owner withdraw --owner-keystore owner.json
    """

    async def run() -> int:
        async with holding.open() as (chain, sender, supernode):
            return await staking.take_out(chain, sender, supernode.operator)

    print(f"{format_tokens(asyncio.run(run()))} tokens sent to the owner")


def _show(supernode: SupernodeStake, seats: Sequence[ownership.TaskSeat]) -> dict[str, object]:
    tasks = [str(seat.task) for seat in seats if seat.operator == supernode.operator]
    return {
        "operator": hex_of(supernode.operator),
        "revoked": supernode.revoked,
        "stake": format_tokens(supernode.active),
        "unbonding": format_tokens(supernode.unbonding),
        "tasks": " ".join(tasks),
    }


def _say_paid(paid: int, finalized: Sequence[int]) -> str:
    first = f"; finalized rounds {', '.join(map(str, finalized))} first" if finalized else ""
    return (f"paid {format_tokens(paid)} tokens to the owner" if paid else "nothing to claim") + first
