"""Takes what nodes send for a round: signs receipts for commits, proves their inclusion, stores reveals.

The Superlink opens a `Collection` when its round opens on chain and closes it with the commits it takes to the chain;
the chain alone decides what was in time. Nothing is answered before it is on disk.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from aggregator.collection import Collection
from aggregator.journal import StoredReveal, SuperlinkJournal
from aggregator.uploads import Uploads
from dao.chain.signer import Signer, recover
from dao.content.tensor_files import compute_update_limit, open_update
from dao.core.commits import Failure, Reveal, SignedCommit, SignedPass
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.cid import Cid
from dao.core.formats.fault import find_fault
from dao.core.formats.signed_messages import (
    compute_commit_digest,
    compute_pass_digest,
    compute_receipt_digest,
    compute_revealed_digest,
)
from dao.core.types import Address, Digest, Domain, RoundId, Signature, Status, TaskId, hex_of
from dao.errors import ContentError, DaoError, DecodeError, NotFound, RuleError, TooLarge
from dao.runtime.backoff import pauses
from dao.runtime.failpoint import failpoint
from dao.store.cid import name_of
from dao.store.layered import LayeredStore
from dao.wire.messages import Ack, ComputedModel, Inclusion, RevealRequest
from dao.wire.superlink_service import Receive

KEPT = 4  # rounds whose proofs of inclusion are still served
PATIENCE = 10.0  # seconds that a call waits until the Superlink sees what its caller saw on chain
FETCH_LIMIT = 60.0  # seconds to fetch an update by IPFS
LARGE = "update: expected one to this model, of at most {} bytes"


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
        report: Callable[..., None],
        note_arriving: Callable[[RoundId, Cid], None],
        note_equivocation: Callable[[], None] = lambda: None,
    ) -> None:
        """`members` returns the Supernodes in the task now; `report` takes events, as `StatusStream.emit` does.

        `note_arriving` hears, before it comes, which content is a round's; `note_equivocation`, that the journal has a node's
        second commit.
        """
        self._domain, self._task, self._signer = domain, task, signer
        self._journal, self._store = journal, store
        self._members, self._report, self._note_arriving = members, report, note_arriving
        self._note_equivocation = note_equivocation
        self._uploads = Uploads(store.local)
        self._rounds: dict[RoundId, Collection] = {}
        self._begun = asyncio.Event()

    # For the Superlink

    def get_collection(self, round_id: RoundId) -> Collection | None:
        """Return the collection of a recent round, None when it has not begun."""
        return self._rounds.get(round_id)

    def begin(self, collection: Collection) -> None:
        """Take commits and reveals of a round from now on."""
        for earlier in self._rounds.values():  # also of a round that was lost
            earlier.release_updates()
        self._uploads.drop_others(self._task, collection.round)
        self._rounds[collection.round] = collection
        for old in sorted(self._rounds)[:-KEPT]:
            del self._rounds[old]
        begun, self._begun = self._begun, asyncio.Event()
        begun.set()

    # For the wire

    def is_member(self, node: Address) -> bool:
        """Return whether the node is a member of the task, or was when a recent round opened."""
        return node in self._members() or any(node in recent.members for recent in self._rounds.values())

    async def content(self, digest: Digest) -> Path | None:
        """Return the file of a content, None when it is not in the store: all of the store is public."""
        path = self._store.local.path_of(digest)
        return path if path.exists() else None

    async def on_commit(self, commit: SignedCommit) -> bytes:
        """Take a node's commit; return the receipt's signature. RuleError when it is not in time or not a member's."""
        task, round_id, node = commit.task, commit.round, commit.node
        collection = await self._wait_collection(task, round_id)
        if node not in collection.members:
            raise RuleError(f"node {hex_of(node)}: had not joined task {task} when round {round_id} opened")
        _check_opening(commit, collection)
        place = (self._domain, task, round_id, commit.opening, node)
        if recover(compute_commit_digest(*place, commit.commitment), commit.signature) != node:
            raise RuleError("commit: expected it signed by the node that sends it")
        async with collection.lock_of(node):
            await self._record_commit(commit, collection)
        return self._signer.sign(compute_receipt_digest(*place, commit.commitment))

    async def on_pass(self, node_pass: SignedPass) -> None:
        """Take a node's pass. RuleError when it is not in time or not a member's."""
        collection, node = await self._wait_collection(node_pass.task, node_pass.round), node_pass.node
        if node not in collection.members:
            raise RuleError(
                f"node {hex_of(node)}: had not joined task {node_pass.task} when round {node_pass.round} opened"
            )
        _check_opening(node_pass, collection)
        digest = compute_pass_digest(self._domain, node_pass.task, node_pass.round, node_pass.opening, node)
        if recover(digest, node_pass.signature) != node:
            raise RuleError("pass: expected it signed by the node that sends it")
        async with collection.lock_of(node):
            if node in collection.passes:
                return
            if node in collection.commits or not collection.accepts_commits:
                raise RuleError(
                    f"round {node_pass.round}: too late to pass; this node's commit, or all, are taken"
                )
            await self._journal.add_pass(node_pass)
            if not collection.accepts_commits:  # perhaps closed while it was written
                raise RuleError(f"round {node_pass.round}: commits are closed")
            collection.passes[node] = node_pass
            self._report("passed", round=node_pass.round, node=node, reason=node_pass.reason)
            collection.notify()

    async def _record_commit(self, commit: SignedCommit, collection: Collection) -> None:
        first = collection.commits.get(commit.node)
        if first is not None and first.commitment == commit.commitment:
            return
        if first is not None:
            await self._journal.add_equivocation(commit)
            self._report("equivocation", round=commit.round, node=commit.node)
            self._note_equivocation()
            raise RuleError(
                f"round {commit.round}: this node has committed to another update; two commits are a fault"
            )
        if commit.node in collection.passes:
            raise RuleError(f"round {commit.round}: this node has passed, and sits the round out")
        if collection.accepts_commits:
            await self._journal.add_commit(commit)
            failpoint("superlink-commit-journalled")
        if not collection.accepts_commits:  # perhaps closed while it was written
            raise RuleError(
                f"round {commit.round}: commits are closed; train faster, or take part in tasks with more time"
            )
        collection.commits[commit.node] = commit
        self._report("committed", round=commit.round, node=commit.node)
        collection.notify()

    async def on_inclusion(self, node: Address, task: TaskId, round_id: RoundId) -> Inclusion:
        """Wait until commits are closed; NotFound when the node's is not in the tree."""
        collection = await self._wait_collection(task, round_id)
        await collection.closed.wait()
        return collection.inclusion_of(node)

    async def on_model(self, node: Address, task: TaskId, round_id: RoundId) -> ComputedModel:
        """Wait until the round's new model is in the store, and the step to it."""
        collection = await self._wait_collection(task, round_id)
        if node not in collection.members:
            raise RuleError(f"node {hex_of(node)}: takes no part in round {round_id}")
        while collection.model is None:
            await collection.changed()
        return collection.model

    async def on_reveal(self, caller: Address, request: RevealRequest, receive: Receive) -> Ack:
        """Take a node's update, from it or from another; return whether it counts.

        RuleError when it is not the committed one, or not in time, or another's and not opened on chain.
        """
        collection, node = await self._wait_collection(request.task, request.round), request.node or caller
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await collection.closed.wait()
                while collection.commit_of(node) is None:
                    await collection.changed()
        commit = collection.commit_of(node)
        if commit is None or commit.commitment != request.reveal.commitment:
            reason = "reveal: expected the content, body root and salt that the node committed to"
            if node == caller:
                collection.rejected[node] = reason
            raise RuleError(reason)
        self._uploads.interrupt(caller, node)
        if node != caller:
            stored = await self._take_over(caller, commit, collection, request, receive)
        else:
            collection.opened_to_us[node] = request.reveal
            async with collection.lock_of(node):
                stored = collection.reveals.get(node) or await self._take(
                    commit, collection, request, receive
                )
        if stored.failure:
            return Ack(False, stored.failure.detail)
        place = (self._domain, commit.task, commit.round, commit.opening, node)
        digest = compute_revealed_digest(*place, commit.commitment, stored.reveal.body_root)
        return Ack(True, receipt=Signature(self._signer.sign(digest)))

    async def _take_over(
        self,
        caller: Address,
        commit: SignedCommit,
        collection: Collection,
        request: RevealRequest,
        receive: Receive,
    ) -> StoredReveal:
        """Take an update that its node opened on chain from a member that could fetch it, while others may send it as well."""
        node = commit.node
        if caller not in collection.members or node not in collection.opened_on_chain:
            raise RuleError(
                f"node {hex_of(node)}: has not opened its commit on chain, as far as is seen here"
            )
        if node not in collection.reveals:
            self._check_in_time(node, collection)
            path = await self._receive(commit, collection, request, receive, caller)
            async with collection.lock_of(node):
                if node not in collection.reveals:
                    return await self._store_reveal(commit, collection, request.reveal, path)
        return collection.reveals[node]

    async def fetch_forced(self, node: Address, collection: Collection) -> None:
        """Fetch the update of a node that opened its commit on chain, again and again until it is here or time is up."""
        commit, reveal = collection.commit_of(node), collection.opened_on_chain[node]
        self._note_arriving(collection.round, reveal.cid)
        for pause in pauses():
            if commit is None or node in collection.reveals or not collection.accepts_reveal_of(node):
                return
            try:
                path = await self._fetch(reveal.cid.digest, collection)
                found = replace(reveal, cid=await self._store.local.resolve(reveal.cid.digest))
                async with collection.lock_of(node):
                    if node not in collection.reveals:
                        await self._store_reveal(commit, collection, found, path)
            except (DaoError, OSError) as error:
                # a disk's words have names of our folders, and the reason is published
                reason = (
                    str(error) if isinstance(error, DaoError) else "update: the Superlink could not keep it"
                )
                collection.rejected[node] = reason
                self._report("not fetched", round=collection.round, node=node, reason=str(error))
                await asyncio.sleep(pause)

    async def _take(
        self, commit: SignedCommit, collection: Collection, request: RevealRequest, receive: Receive
    ) -> StoredReveal:
        self._check_in_time(commit.node, collection)
        try:
            path = await self._receive(commit, collection, request, receive, commit.node)
            return await self._store_reveal(commit, collection, request.reveal, path)
        except (ContentError, DecodeError) as error:
            collection.rejected[commit.node] = str(error)
            raise

    async def _store_reveal(
        self, commit: SignedCommit, collection: Collection, reveal: Reveal, path: Path
    ) -> StoredReveal:
        """Decode an update that is here, and have the journal know it before it counts."""
        node = commit.node
        stored = await asyncio.to_thread(decode_reveal, path, reveal, collection)
        self._check_in_time(node, collection)
        await self._journal.add_reveal(commit, stored)
        failpoint("superlink-reveal-journalled")
        self._check_in_time(node, collection)
        collection.reveals[node] = stored
        invalid = stored.failure.detail if stored.failure else None
        self._report("revealed", round=collection.round, node=node, invalid=invalid)
        collection.notify()
        return stored

    def _check_in_time(self, node: Address, collection: Collection) -> None:
        """RuleError once reveals are over: the round may be settled without this one already."""
        if not collection.accepts_reveal_of(node):
            raise RuleError(f"round {collection.round}: reveals are over")

    async def _receive(
        self,
        commit: SignedCommit,
        collection: Collection,
        request: RevealRequest,
        receive: Receive,
        sender: Address,
    ) -> Path:
        """Store the update that a node sends, checked against its CID and the size of an update; return its file."""
        cid = request.reveal.cid
        self._note_arriving(collection.round, cid)
        if request.by_ipfs:
            return await self._fetch(cid, collection)
        limit = compute_update_limit(collection.layout, collection.rules.codec)
        if request.size > limit:
            raise TooLarge(f"{LARGE.format(limit)}, got {request.size}")
        await self._uploads.take(commit, cid, limit, receive, sender)
        return self._store.local.path_of(cid)

    async def _fetch(self, content: Cid | Digest, collection: Collection) -> Path:
        """Fetch an update; errors in words of our own: the reason is published, and our folders need not be."""
        limit = compute_update_limit(collection.layout, collection.rules.codec)
        try:
            async with asyncio.timeout(FETCH_LIMIT):
                return await self._store.get(content, limit)
        except TooLarge:
            raise TooLarge(LARGE.format(limit)) from None
        except (ContentError, TimeoutError):
            why = f"no source had it within {FETCH_LIMIT:.0f} s; is it pinned?"
            raise NotFound(f"update {name_of(content)}: {why}") from None

    async def _wait_collection(self, task: TaskId, round_id: RoundId) -> Collection:
        """Return the collection of a round, which may be about to begin here; RuleError when there is none."""
        if task != self._task:
            raise RuleError(f"task {task}: this Superlink serves task {self._task}")
        try:
            async with asyncio.timeout(PATIENCE):
                while round_id not in self._rounds and round_id > max(self._rounds, default=0):
                    await self._begun.wait()
        except TimeoutError:
            raise RuleError(
                f"round {round_id}: not open at this Superlink; is it in step with the chain?"
            ) from None
        if round_id not in self._rounds:
            raise RuleError(f"round {round_id}: over; this Superlink is in round {max(self._rounds)}")
        return self._rounds[round_id]


def _check_opening(signed: SignedCommit | SignedPass, collection: Collection) -> None:
    if signed.opening != collection.opening:
        raise RuleError(
            f"round {signed.round}: signed for another opening than the chain has; is your chain's node in step?"
        )


def decode_reveal(path: Path, reveal: Reveal, collection: Collection) -> StoredReveal:
    """Decode an update whose bytes are those of its CID, or find what is wrong with it. Blocks."""
    try:
        update = open_update(path, collection.layout, collection.rules.codec)
    except DecodeError as error:
        return StoredReveal(reveal, Failure(Status.INVALID, str(error), find_fault(error)))
    if compute_body_root(update.body, collection.rules.body_depth) != reveal.body_root:
        detail = "its body has another root than was committed to"
        return StoredReveal(reveal, Failure(Status.INVALID, detail))
    return StoredReveal(reveal, None, update)
