"""Takes what nodes send for a round: commits and their receipts, proofs of inclusion, reveals.

The Superlink opens a `Collection` when its round opens on chain and closes it with the commits it takes to the chain;
the chain alone decides what was in time. Nothing is answered before it is on disk.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aggregator.collection import Collection
from aggregator.journal import HeldCommit, HeldReveal, SuperlinkJournal
from dao.chain.signer import Signer, recover
from dao.content.tensor_files import compute_update_limit, open_update
from dao.core.commits import Failure
from dao.core.commits import compute_commitment as commitment_of
from dao.core.errors import ContentError, DecodeError, NotFound, RuleError, TooLarge
from dao.core.formats.signed_messages import compute_commit_digest, compute_receipt_digest
from dao.core.merkle import compute_body_root
from dao.core.types import Address, Digest, Domain, RoundId, Signature, Status, TaskId, hex_of
from dao.runtime.failpoint import failpoint
from dao.store.layered import LayeredStore
from dao.wire.messages import Ack, Inclusion, RevealHeader
from dao.wire.superlink_service import Receive

KEPT = 4  # rounds whose proofs of inclusion may still be asked for
PATIENCE = 10.0  # seconds that a call waits for the Superlink to see what its caller saw on chain
FETCH_LIMIT = 60.0  # seconds to fetch an update by IPFS


class Intake:
    """The Superlink's handler of the wire, for one task."""

    def __init__(
        self,
        domain: Domain,
        task: TaskId,
        signer: Signer,
        journal: SuperlinkJournal,
        store: LayeredStore,
        members: Callable[[], frozenset[Address]],
        tell: Callable[..., None],
    ) -> None:
        """`members` names those that take part now; `tell` hears of what happens, as `StatusStream.emit` does."""
        self._domain, self._task, self._signer = domain, task, signer
        self._journal, self._store = journal, store
        self._joined, self._tell = members, tell
        self._rounds: dict[RoundId, Collection] = {}
        self._begun = asyncio.Event()

    # what the Superlink says

    def collection(self, round_: RoundId) -> Collection | None:
        """What is held of a recent round, None when it has not begun."""
        return self._rounds.get(round_)

    def begin(self, collection: Collection) -> None:
        """Take what comes for a round from now on."""
        self._rounds[collection.round] = collection
        for old in sorted(self._rounds)[:-KEPT]:
            del self._rounds[old]
        begun, self._begun = self._begun, asyncio.Event()
        begun.set()

    # what the wire asks

    def is_member(self, node: Address) -> bool:
        """Whether the node takes part in the task, or did when a recent round opened."""
        return node in self._joined() or any(node in held.members for held in self._rounds.values())

    async def content(self, digest: Digest) -> Path | None:
        """The file of a content that anyone may have: whatever is in the store."""
        path = self._store.local.path_of(digest)
        return path if path.exists() else None

    async def on_commit(
        self, node: Address, task: TaskId, round_: RoundId, commitment: Digest, signature: bytes
    ) -> bytes:
        """Take a node's commit; return the receipt's signature. RuleError when it is not in time or not a member's."""
        collection = await self._collection(task, round_)
        if node not in collection.members:
            raise RuleError(f"node {hex_of(node)}: had not joined task {task} when round {round_} opened")
        if recover(compute_commit_digest(self._domain, task, round_, node, commitment), signature) != node:
            raise RuleError("commit: expected it signed by the node that sends it")
        async with collection.turn_of(node):
            await self._keep(node, collection, HeldCommit(commitment, Signature(signature)))
        return self._signer.sign(compute_receipt_digest(self._domain, task, round_, node, commitment))

    async def _keep(self, node: Address, collection: Collection, commit: HeldCommit) -> None:
        task, round_ = collection.task, collection.round
        held = collection.commits.get(node)
        if held is not None and held.commitment == commit.commitment:
            return
        if held is not None:
            await self._journal.add_equivocation(task, round_, node, commit)
            self._tell("equivocation", round=round_, node=node)
            raise RuleError(
                f"round {round_}: this node has committed to another update; two commits are a fault"
            )
        if collection.accepting:
            await self._journal.add_commit(task, round_, node, commit)
            failpoint("superlink-commit-journalled")
        if not collection.accepting:  # perhaps only since a moment ago
            raise RuleError(f"round {round_}: commits are closed; commit on chain while that is possible")
        collection.commits[node] = commit
        self._tell("committed", round=round_, node=node)
        collection.notify()

    async def on_inclusion(self, node: Address, task: TaskId, round_: RoundId) -> Inclusion:
        """Wait until commits are closed; NotFound when the node's is not in the tree."""
        collection = await self._collection(task, round_)
        await collection.closed.wait()
        return collection.inclusion_of(node)

    async def on_model(self, node: Address, task: TaskId, round_: RoundId) -> Digest:
        """Wait until the round's new model is in the store."""
        collection = await self._collection(task, round_)
        if node not in collection.members:
            raise RuleError(f"node {hex_of(node)}: takes no part in round {round_}")
        while collection.model is None:
            await collection.changed()
        return collection.model

    async def on_reveal(self, node: Address, header: RevealHeader, receive: Receive) -> Ack:
        """Take a node's update; say whether it counts. RuleError when it is not what was committed, or not in time."""
        collection = await self._collection(header.task, header.round)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await collection.closed.wait()
                while collection.commitment_of(node) is None:
                    await collection.changed()
        committed = commitment_of(header.cid.digest, header.body_root, header.salt)
        if collection.commitment_of(node) != committed:
            words = "reveal: expected the content, body root and salt that the node committed to"
            collection.refused[node] = words
            raise RuleError(words)
        async with collection.turn_of(node):
            held = collection.reveals.get(node) or await self._take(node, collection, header, receive)
        return Ack(held.failure is None, held.failure.detail if held.failure else "")

    async def _take(
        self, node: Address, collection: Collection, header: RevealHeader, receive: Receive
    ) -> HeldReveal:
        self._check_in_time(node, collection)
        collection.arriving.add(node)
        try:
            path = await self._receive(collection, header, receive)
            failure = await asyncio.to_thread(failure_of, path, header, collection)
            self._check_in_time(node, collection)
            reveal = HeldReveal(str(header.cid), header.body_root, header.salt, failure)
            await self._journal.add_reveal(collection.task, collection.round, node, reveal)
            failpoint("superlink-reveal-journalled")
            self._check_in_time(node, collection)
        except (ContentError, DecodeError) as error:
            collection.refused[node] = str(error)
            raise
        finally:
            collection.arriving.discard(node)
        collection.reveals[node] = reveal
        self._tell("revealed", round=collection.round, node=node, invalid=failure.detail if failure else None)
        collection.notify()
        return reveal

    def _check_in_time(self, node: Address, collection: Collection) -> None:
        """RuleError once reveals are over: the round may be settled without this one already."""
        if not collection.revealing:
            collection.late.add(node)
            raise RuleError(f"round {collection.round}: reveals are over")

    async def _receive(self, collection: Collection, header: RevealHeader, receive: Receive) -> Path:
        """The update's file, with the bytes of its CID, and not many more than an update has."""
        limit = compute_update_limit(collection.layout, collection.rules.codec)
        large = f"update: expected one to this model, of at most {limit} bytes"
        if header.by_ipfs:  # in words of our own: the reason is published, and our folders need not be
            try:
                async with asyncio.timeout(FETCH_LIMIT):
                    return await self._store.get(header.cid, limit)
            except TooLarge:
                raise TooLarge(large) from None
            except (ContentError, TimeoutError):
                words = f"update {header.cid}: no source had it within {FETCH_LIMIT:.0f} s; is it pinned?"
                raise NotFound(words) from None
        if header.size > limit:
            raise TooLarge(f"{large}, got {header.size}")
        await self._store.local.put_from(receive, header.cid, limit)
        return self._store.local.path_of(header.cid)

    async def _collection(self, task: TaskId, round_: RoundId) -> Collection:
        """The collection of a round that may only be about to begin here; RuleError when there is none."""
        if task != self._task:
            raise RuleError(f"task {task}: this Superlink serves task {self._task}")
        try:
            async with asyncio.timeout(PATIENCE):
                while round_ not in self._rounds and round_ > max(self._rounds, default=0):
                    await self._begun.wait()
        except TimeoutError:
            raise RuleError(
                f"round {round_}: not open at this Superlink; is it in step with the chain?"
            ) from None
        if round_ not in self._rounds:
            raise RuleError(f"round {round_}: over; this Superlink is in round {max(self._rounds)}")
        return self._rounds[round_]


def failure_of(path: Path, header: RevealHeader, collection: Collection) -> Failure | None:
    """What is wrong with an update whose bytes are those of its CID, None for a valid one. Blocks."""
    try:
        update = open_update(path, collection.layout, collection.rules.codec)
    except DecodeError as error:
        return Failure(Status.INVALID, str(error))
    if compute_body_root(update.body, collection.rules.body_depth) != header.body_root:
        return Failure(Status.INVALID, "its body has another root than was committed to")
    return None
