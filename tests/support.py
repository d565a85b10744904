"""What tests of several parts share: a network on a chain of its own, tasks, members, and keys with gas."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Registry, Token
from dao.chain.deploy import TOKEN, Params, create_task, deploy, grant
from dao.chain.deployment import Deployment
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.formats.signed_messages import compute_operator_digest
from dao.core.types import Address, Codec, Digest, Rules, TaskId, Wei, hex_of
from dao.devnet.anvil import Anvil, dev_signer

GAS_MONEY = Wei(10 * TOKEN)


def digest(number: int) -> Digest:
    return Digest(number.to_bytes(32, "big"))


RULES = Rules(
    superlink=dev_signer(1).address,
    commit_period=60,
    reveal_period=30,
    result_period=120,
    challenge_period=600,
    resolve_period=1000,
    quorum=1,
    shards=100,
    body_depth=10,
    codec=Codec.INT8,
    admitted_only=False,
    close_after=1,
    close_share=100,
    max_in_flight=64,
    min_stake=TOKEN,
    max_stake=Wei(1000 * TOKEN),
    round_budget=Wei(10 * TOKEN),
    superlink_bond=Wei(5 * TOKEN),
    challenge_bond=Wei(5 * TOKEN),
    app_hash=digest(1),
    base_model=digest(2),
    validation_root=digest(3),
    chunks=1024,
    scored_chunks=1024,
    card=digest(5),
    base_model_root=digest(4),
)


@dataclass(frozen=True)
class Member:
    """An owner with tokens and gas, and its Supernode's (or Superlink's) operator key."""

    owner: Signer
    operator: Signer


@dataclass(frozen=True)
class Network:
    """Deployed contracts on an Anvil. `dao` (account 0) proposes to and executes through the timelock."""

    anvil: Anvil
    deployment: Deployment
    folder: Path
    _names: "itertools.count[int]" = field(default_factory=itertools.count)

    @asynccontextmanager
    async def chain(self, confirmations: int = 0, url: str | None = None) -> AsyncIterator[Chain]:
        async with await Chain.connect(url or self.anvil.ws, self.deployment, confirmations) as chain:
            yield chain

    @asynccontextmanager
    async def sender(self, chain: Chain, signer: Signer, path: Path | None = None) -> AsyncIterator[Sender]:
        """A sender with gas money; its file is new unless given."""
        self.anvil.fund(signer.address, GAS_MONEY)
        file = path or self.folder / f"sender-{next(self._names)}.db"
        async with Sender(chain, signer, file) as sender:
            yield sender

    @asynccontextmanager
    async def dao(self, chain: Chain) -> AsyncIterator[Sender]:
        async with self.sender(chain, dev_signer(0), self.folder / "dao.db") as sender:
            yield sender

    async def new_task(self, rules: Rules = RULES, funds: Wei | None = None) -> TaskId:
        """A funded task (100 rounds unless told otherwise)."""
        async with self.chain() as chain, self.dao(chain) as dao:
            return await create_task(
                chain, dao, rules, Wei(100 * rules.round_budget) if funds is None else funds
            )

    async def new_member(
        self, stake: Wei = TOKEN, operator: Signer | None = None, owner: Signer | None = None
    ) -> Member:
        """Register a new operator behind a new owner, which has as many tokens again."""
        member = Member(owner or Signer.ephemeral(), operator or Signer.ephemeral())
        async with self.chain() as chain:
            async with self.dao(chain) as dao:
                await grant(chain, dao, {member.owner.address: Wei(2 * stake)})
            async with self.sender(chain, member.owner) as sender:
                consent = compute_operator_digest(
                    chain.chain_id, self.deployment.registry, member.owner.address, member.operator.address
                )
                await sender.send(Token(chain).approve(self.deployment.registry, stake))
                signature = member.operator.sign(consent)
                await sender.send(Registry(chain).register(member.operator.address, stake, signature))
        return member

    async def join(self, task: TaskId, member: Member) -> None:
        async with self.chain() as chain, self.sender(chain, member.owner) as sender:
            await sender.send(Coordinator(chain).join(task, member.operator.address))

    async def new_round_ready(
        self, members: int = 1, **changes: object
    ) -> tuple[TaskId, Member, list[Member]]:
        """A task with its bonded Superlink and its joined members, ready for `openRound`."""
        superlink = await self.new_member(Wei(5 * TOKEN))
        task = await self.new_task(replace(RULES, superlink=superlink.operator.address, **changes))  # type: ignore[arg-type]
        joined = [await self.new_member() for _ in range(members)]
        for member in joined:
            await self.join(task, member)
        return task, superlink, joined


def deploy_network(anvil: Anvil, folder: Path, params: Params | None = None) -> Network:
    """Deploy the contracts; outside of an event loop."""
    folder.mkdir(parents=True, exist_ok=True)
    made = asyncio.run(deploy(anvil.ws, dev_signer(0), params or Params(), folder / "dao.db"))
    return Network(anvil, made, folder)


def count_sent(anvil: Anvil, account: Address) -> int:
    """How many transactions of an account its chain has."""
    return int(anvil.request("eth_getTransactionCount", hex_of(account), "latest"), 16)


def bring_together(anvil: Anvil, account: Address) -> str:
    """Take back the blocks since the one before an account's last transaction, for one that has both; return the last one's hash.

    As the pool of a chain's node may bring back what a reorg undid. No block comes meanwhile.
    """
    interval = anvil.request("anvil_getIntervalMining")
    if interval:
        anvil.request("evm_setIntervalMining", 0)
    head = int(anvil.request("eth_blockNumber"), 16)
    sent: list[dict[str, str]] = []
    number = head + 1
    while len(sent) < 2:
        number -= 1
        block = anvil.request("eth_getBlockByNumber", hex(number), True)
        sent = [one for one in block["transactions"] if one["from"] == hex_of(account)] + sent
    raw = [anvil.request("eth_getRawTransactionByHash", one["hash"]) for one in sent[-2:]]
    anvil.request("anvil_reorg", head - number + 1, [[one, 0] for one in raw])
    if interval:
        anvil.request("evm_setIntervalMining", interval)
    return sent[-1]["hash"]


def has_failed(anvil: Anvil, digest: str) -> bool:
    """Whether a transaction is in a block, and was refused there."""
    return int(anvil.request("eth_getTransactionReceipt", digest)["status"], 16) == 0


@asynccontextmanager
async def mining(anvil: Anvil) -> AsyncIterator[None]:
    """Blocks go on, as on any chain but this one: what is announced is shown a block later."""

    async def mine() -> None:
        while True:
            anvil.request("evm_mine")
            await asyncio.sleep(0.1)

    miner = asyncio.create_task(mine())
    try:
        yield
    finally:
        miner.cancel()
