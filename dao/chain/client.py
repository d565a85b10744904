"""The chain as one of its nodes shows it: heads, reads that name their block, events; it goes back only by a reorg."""

import asyncio
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Self, TypeVar

from dao.chain.blocks import BlockRef
from dao.chain.contract_table import list_emitters
from dao.chain.deployment import Deployment
from dao.chain.event_codec import decode_log, get_topic
from dao.chain.event_types import Event
from dao.chain.heads import HeadFollower
from dao.chain.interface import FunctionAbi, load
from dao.chain.reverts import reverted
from dao.chain.rpc import PATIENCE, TIMEOUT, NodeError, Rpc
from dao.chain.shared_calls import SharedCalls
from dao.core.types import Address, BlockNumber, Digest, Domain, RoundId, TaskId, Timestamp, hex_of
from dao.errors import ConfigError, Reorged, RpcError
from dao.runtime.backoff import pauses

At = BlockRef | BlockNumber  # a block: by hash, so that a read of a vanished one fails, or by number
E = TypeVar("E", bound=Event)

_AWAY = re.compile(
    r"not found|unknown block|outofrange|out of range|not available|header for hash", re.IGNORECASE
)
_NO_METHOD = -32601
_FIRST_PAUSE, _LAG = 0.01, 5.0  # seconds to the second question to a node that is behind, and to the last
_TOO_MANY = re.compile(r"range|results|limit|too many|size|exceed", re.IGNORECASE)
_IDLE = 60.0  # seconds until the count of reorgs is looked at again without a new head
_SPAN = 2000  # blocks of one eth_getLogs


class Chain:
    """A network of contracts on a chain, as one node of the chain shows it.

    `confirmations`: how many blocks must stand on one before it is acted on; 0 acts on the head.
    """

    def __init__(self, rpc: Rpc, heads: HeadFollower, deployment: Deployment | None) -> None:
        """Use `connect`."""
        self._rpc = rpc
        self._heads = heads
        self._deployment = deployment
        self._shared, self._shared_since = SharedCalls(), heads.reorgs

    @classmethod
    async def connect(
        cls,
        url: str,
        deployment: Deployment | None = None,
        confirmations: int = 0,
        *,
        limit: float = TIMEOUT,
        patience: float = PATIENCE,
        poll: float = 0.5,
    ) -> Self:
        """Connect to a node at a ws:// (pushes) or http:// (asked every `poll` seconds) address.

        `limit` seconds for an attempt, `patience` for a request with all its attempts. RpcError when the node does
        not answer, is of another chain, or knows no contract at the coordinator's address; ConfigError when that
        works with other contracts than the deployment names.
        """
        rpc = Rpc(url, limit, patience)
        heads = HeadFollower(rpc, confirmations, poll)
        await heads.start(deployment.chain_id if deployment else None)
        chain = cls(rpc, heads, deployment)
        try:
            if deployment is not None:
                await chain._expect_network(deployment)
        except BaseException:
            await chain.close()
            raise
        return chain

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection."""
        await self._heads.close()

    async def _expect_network(self, deployment: Deployment) -> None:
        """Raise unless the deployment is this chain's: reads at a wrong address would accuse honest nodes."""
        coordinator = hex_of(deployment.coordinator)
        if await self.request("eth_getCode", coordinator, "latest") in (None, "0x"):
            raise RpcError(f"{self.url}: no contract at {coordinator}; is this the network's chain?")
        views = load("TrainingCoordinator").functions
        names = ("token", "registry", "distributor")
        answers = await asyncio.gather(
            *(self.call(deployment.coordinator, views[name], at=self.head()) for name in names)
        )
        for name, (address,) in zip(names, answers, strict=True):
            if address != (stated := getattr(deployment, name)):
                raise ConfigError(
                    f"deployment.{name}: {hex_of(stated)}, but the coordinator works with {hex_of(address)}; get the file "
                    "of the network"
                )

    # state

    @property
    def url(self) -> str:
        """The node's address."""
        return self._rpc.url

    @property
    def chain_id(self) -> int:
        """The chain's id, checked."""
        return self._rpc.chain_id

    @property
    def deployment(self) -> Deployment:
        """The network's contracts; ConfigError when it was connected without."""
        if self._deployment is None:
            raise ConfigError("chain: connected without a deployment; name the network's deployment file")
        return self._deployment

    @property
    def domain(self) -> Domain:
        """The domain of commits, receipts and requests."""
        return Domain(self.chain_id, self.deployment.coordinator)

    @property
    def confirmations(self) -> int:
        """How many blocks must stand on one before it is acted on."""
        return self._heads.confirmations

    @property
    def reorgs(self) -> int:
        """How many times blocks that had been seen were gone."""
        return self._heads.reorgs

    @property
    def pushes(self) -> bool:
        """Whether heads are pushed rather than asked for."""
        return self._rpc.pushes

    def head(self) -> BlockRef:
        """Return the newest block seen."""
        return self._heads.head

    def final(self) -> BlockRef:
        """Return the newest block that may be acted on: `confirmations` deep."""
        return self._heads.final

    def block_seen(self, number: int) -> BlockRef | None:
        """Return a recent block by number, without a request."""
        return self._heads.at(number)

    # waiting

    async def changed(self, limit: float) -> bool:
        """Wait for the next change of the head, at most `limit` seconds; return whether there was one."""
        return await self._heads.changed(limit)

    def hurry(self) -> None:
        """Ask for the head now, for it may have changed."""
        self._heads.hurry()

    async def wait_reorg(self, since: int) -> None:
        """Wait until blocks that had been seen are gone, since `reorgs` was this."""
        while self.reorgs == since:
            await self.changed(_IDLE)

    async def reach(
        self, block: BlockNumber | None = None, *, timestamp: Timestamp | None = None, limit: float
    ) -> BlockRef:
        """Wait until the final block is `block` or its time `timestamp`, or later; RpcError after `limit` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while True:
            final = self.final()
            if (block is None or final.number >= block) and (
                timestamp is None or final.timestamp >= timestamp
            ):
                return final
            if not await self.changed(end - loop.time()):
                goal = f"block {block}" if block is not None else f"block time {timestamp}"
                raise RpcError(
                    f"{self.url}: at block {final.number}, time {final.timestamp}, after {limit:.0f} s; "
                    f"expected {goal}"
                )

    # reading

    async def request(self, method: str, *params: object, patience: float | None = None) -> Any:
        """Send a request to the node, repeated as Rpc.request says."""
        return await self._rpc.request(method, *params, patience=patience)

    async def ask(self, method: str, what: Mapping[str, object] | str, at: At, label: str) -> Any:
        """Ask about the state at a block (eth_call and its like), waiting a little for a node that is behind.

        Raises Reverted, naming `label`, when the contract refuses; Reorged when a block given by hash is gone.
        """
        params: list[object] = [what]
        if method != "eth_getLogs":
            params.append({"blockHash": hex_of(at.hash)} if isinstance(at, BlockRef) else hex(at))
        loop = asyncio.get_running_loop()
        end = loop.time() + _LAG
        for pause in pauses(_FIRST_PAUSE, _LAG, spread=0):
            try:
                return await self.request(method, *params)
            except NodeError as error:
                if error.revert is not None:
                    raise reverted(label, error.revert, error.reason) from None
                if not is_away(error):
                    raise
                if isinstance(at, BlockRef) and not await self.is_canonical(at):
                    raise Reorged(
                        f"block {at.number}: no longer part of the chain; start from the new head"
                    ) from None
                if loop.time() > end:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError  # pauses do not end

    async def call(self, to: Address, function: FunctionAbi, *args: object, at: At) -> tuple[Any, ...]:
        """Call a view at a block: one value per output.

        Reverted when the contract refuses; Reorged when the block, given with its hash, is gone.
        """
        data = function.encode(*args)
        if not isinstance(at, BlockRef):
            return await self._call(to, function, data, at)
        if self._shared_since != self.reorgs:
            self._shared_since = self.reorgs
            self._shared.clear()
        return await self._shared.get((at.hash, to, data), partial(self._call, to, function, data, at))

    async def _call(self, to: Address, function: FunctionAbi, data: bytes, at: At) -> tuple[Any, ...]:
        text = await self.ask("eth_call", {"to": hex_of(to), "data": hex_of(data)}, at, function.name)
        answer = bytes.fromhex(text[2:])
        if not answer and function.outputs:
            raise RpcError(
                f"{hex_of(to)}: no contract with {function.name} at this address; check the deployment"
            )
        return function.decode(answer)

    async def block(self, which: BlockNumber | Digest) -> BlockRef | None:
        """Return a block by number or hash, or None when the node has none such."""
        return await self._heads.block(which)

    async def is_canonical(self, block: BlockRef) -> bool:
        """Whether a block that was seen is still part of the chain."""
        return await self._heads.is_canonical(block)

    async def logs(self, where: Mapping[str, object], at: At | tuple[BlockNumber, BlockNumber]) -> list[Any]:
        """Return raw logs that match `where` (address, topics) in one block or an inclusive range, halved when too large.

        Raises Reorged when the one block is gone.
        """
        if isinstance(at, BlockRef):
            one_block = {**where, "blockHash": hex_of(at.hash)}
            return list(await self.ask("eth_getLogs", one_block, at, "eth_getLogs"))
        first, last = at if isinstance(at, tuple) else (at, at)
        key = self.reorgs, first, last, repr(where)
        return await self._shared.join(key, partial(self._logs, where, first, last))

    async def _logs(self, where: Mapping[str, object], first: BlockNumber, last: BlockNumber) -> list[Any]:
        logs: list[Any] = []
        span = _SPAN
        while first <= last:
            end = min(first + span - 1, last)
            try:
                logs += await self.request(
                    "eth_getLogs", {**where, "fromBlock": hex(first), "toBlock": hex(end)}
                )
            except NodeError as error:
                if end == first or not _TOO_MANY.search(error.reason):
                    raise
                span = max(1, (end - first + 1) // 2)
                continue
            first = BlockNumber(end + 1)
        return logs

    async def decode(self, logs: list[Any]) -> list[Event]:
        """Read raw logs as events, in order; those of no known event are left out."""
        events = []
        times: dict[str, Timestamp] = {}
        for log in sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16))):
            digest = log["blockHash"]
            if digest not in times:
                times[digest] = await self._time_of(log)
            event = decode_log(log, times[digest])
            if event is not None:
                events.append(event)
        return events

    async def past(
        self,
        kind: type[E],
        *,
        task: TaskId | None = None,
        round: RoundId | None = None,  # noqa: A002  (the word of the protocol)
        owner: Address | None = None,
        from_block: BlockNumber | None = None,
        to_block: BlockNumber | None = None,
    ) -> list[E]:
        """Return all events of one kind up to a block (else the final one), in order, of one task, round or owner if named.

        An `owner` is for events that have it as their first field.
        """
        where = self.filter_of((kind,), task, round)
        if owner is not None:
            where["topics"] = [hex_of(get_topic(kind)), hex_of(owner.rjust(32, b"\0"))]
        first = self.deployment.block if from_block is None else from_block
        last = self.final().number if to_block is None else to_block
        events = await self.decode(await self.logs(where, (first, last)))
        return [event for event in events if isinstance(event, kind)]

    def filter_of(
        self, kinds: tuple[type[Event], ...], task: TaskId | None = None, round_id: RoundId | None = None
    ) -> dict[str, object]:
        """Return the address and topics of eth_getLogs for kinds of events, of one task and round where these have them."""
        topics: list[object] = [[hex_of(get_topic(kind)) for kind in kinds]]
        topics += [f"0x{number:064x}" for number in (task, round_id) if number is not None]
        emitters = [getattr(self.deployment, row.field) for row in list_emitters(kinds)]
        return {"address": list(map(hex_of, emitters)), "topics": topics}

    async def _time_of(self, log: Any) -> Timestamp:
        if log.get("blockTimestamp") is not None:
            return Timestamp(int(log["blockTimestamp"], 16))
        digest = Digest(bytes.fromhex(log["blockHash"][2:]))
        seen = self._heads.at(int(log["blockNumber"], 16))
        block = seen if seen is not None and seen.hash == digest else await self.block(digest)
        if block is None:
            raise Reorged(f"block {hex_of(digest)}: no longer part of the chain; start from the new head")
        return block.timestamp


def is_away(error: NodeError) -> bool:
    """Whether the node says that it does not have a block."""
    return error.code != _NO_METHOD and _AWAY.search(error.reason) is not None
