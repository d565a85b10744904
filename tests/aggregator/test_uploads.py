"""An update whose connection breaks again and again arrives all the same: nothing that has come is sent twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from aggregator.collection import Collection
from aggregator.intake import Intake
from aggregator.journal import SuperlinkJournal
from dao.chain.events import RoundOpened
from dao.chain.signer import Signer
from dao.core.commits import Reveal, SignedCommit
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.cid import Cid
from dao.core.formats.layout import Layout
from dao.core.formats.update import encode_update_prefix, get_leaf_size
from dao.core.types import (
    ZERO_DIGEST,
    BlockNumber,
    Digest,
    Member,
    RoundId,
    Signature,
    Timestamp,
)
from dao.errors import Refused
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from dao.store.layered import LayeredStore
from dao.wire import grpc_options
from dao.wire.messages import RevealRequest, write_reveal
from dao.wire.superlink_client import SuperlinkClient
from dao.wire.superlink_service import Service, serve
from tests.support import RULES
from tests.wire.network import DOMAIN, OPENING, ROUND, TASK, Cable

CHUNKS = 12_000  # of an update of 3.1 MB
LAYOUT = Layout.of({"w": (256 * CHUNKS,)})
DEPTH = 14
CUT = 300_000  # bytes that each connection lives


@dataclass
class Site:
    """A Superlink's intake of a closed round, served on the wire, and a node with an update to reveal."""

    folder: Path
    stack: AsyncExitStack

    def __post_init__(self) -> None:
        self.node, self.other, self.superlink = (Signer.ephemeral() for _ in range(3))
        generator = np.random.Generator(np.random.Philox(7))
        rows = np.zeros((CHUNKS, get_leaf_size(RULES.codec)), np.uint8)
        rows[:, :256] = generator.integers(-127, 128, (CHUNKS, 256), np.int8).view(np.uint8)
        self.update = encode_update_prefix(LAYOUT, RULES.codec) + rows.tobytes()
        self.file = self.folder / "update"
        self.file.write_bytes(self.update)
        self.reveal = Reveal(cid_of_bytes(self.update), compute_body_root(rows, DEPTH), Digest(b"s" * 32))
        self.disk = DiskStore(self.folder / "store", sync=False)
        self.start()

    def start(self, round_id: RoundId = ROUND) -> None:
        """Begin as a new process does, in a round whose commits are closed."""
        journal = SuperlinkJournal(self.folder / "journal.db")
        self.stack.push_async_callback(journal.close)
        members = frozenset({self.node.address, self.other.address})
        self.told: list[tuple[str, dict[str, object]]] = []
        self.arriving: list[Cid] = []
        self.intake = Intake(
            *(DOMAIN, TASK, self.superlink, journal, LayeredStore(self.disk, attempts=1)),
            *(lambda: members, lambda event, **fields: self.told.append((event, fields))),
            lambda _, cid: self.arriving.append(cid),
        )
        at = BlockNumber(1), ZERO_DIGEST, Timestamp(1), 0, ZERO_DIGEST
        opened = RoundOpened(*at, TASK, round_id, RoundId(0), eligible=2)
        rules = replace(RULES, body_depth=DEPTH, chunks=CHUNKS)
        known = dict.fromkeys(members, Member(self.node.address, RULES.min_stake))
        self.collection = Collection(TASK, opened, OPENING, rules, LAYOUT, known)
        for signer, commitment in ((self.node, self.reveal.commitment), (self.other, Digest(b"o" * 32))):
            place = TASK, round_id, OPENING, signer.address, commitment
            self.collection.commits[signer.address] = SignedCommit(*place, Signature(bytes(65)))
        self.collection.close(members)
        self.intake.begin(self.collection)

    async def serve(self, address: str = "127.0.0.1:0") -> Service:
        service = await serve(self.intake, address, DOMAIN, self.superlink.address)
        self.stack.push_async_callback(service.stop, 0)
        return service

    async def cable(self, address: str, breaks: list[int]) -> Cable:
        """A line to the service that breaks after so many bytes of each connection."""
        cable = Cable(address, breaks, up=True)
        await cable.open()
        self.stack.push_async_callback(cable.close)
        return cable

    def client(self, address: str, signer: Signer | None = None, **options: Any) -> SuperlinkClient:
        client = SuperlinkClient(address, signer or self.node, DOMAIN, limit=120, **options)
        self.stack.push_async_callback(client.close)
        return client

    def parts(self) -> list[int]:
        return [path.stat().st_size for path in self.disk.tmp.iterdir()]

    async def has_part(self, size: int) -> None:
        """Wait until so many bytes of an update have come."""
        while max(self.parts(), default=0) < size:  # noqa: ASYNC110  (a file tells nobody that it grows)
            await asyncio.sleep(0.01)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        yield Site(tmp_path, stack)


async def test_upload__every_connection_dies_after_300_kb__arrives(site: Site) -> None:
    service = await site.serve()
    cable = await site.cable(service.address, [CUT] * 1000)
    client, told = site.client(cable.address, by_channel=False), list[int]()
    ack = await client.reveal(TASK, ROUND, site.reveal, site.file, told.append)
    assert ack.accepted
    assert (await site.disk.get(site.reveal.cid)).read_bytes() == site.update
    assert not site.parts()
    assert max(told) == len(site.update)
    # what a cut connection had carried in vain is at most what it lived for
    assert cable.sent < 3 * len(site.update)


async def test_upload__superlink_restarts_in_the_middle__goes_on(site: Site) -> None:
    service = await site.serve()
    cable = await site.cable(service.address, [2 * CUT] * 3)
    client = site.client(cable.address, by_channel=False)
    revealing = asyncio.create_task(client.reveal(TASK, ROUND, site.reveal, site.file))
    await site.has_part(CUT)
    await service.stop(0)
    site.start()
    before = cable.sent
    await site.serve(service.address)
    assert (await revealing).accepted
    assert site.collection.reveals[site.node.address].failure is None
    assert cable.sent - before < 3 * len(site.update)


async def test_upload__connection_falls_silent__a_new_call_takes_its_place_at_once(site: Site) -> None:
    service = await site.serve()
    silent = site.client(service.address)
    request = RevealRequest(TASK, ROUND, site.reveal, len(site.update), False)
    stream: Any = silent._channel.stream_unary(grpc_options.REVEAL, None, None)
    call = stream()
    await call.write(await silent._signed(grpc_options.REVEAL, write_reveal(request), 10))
    await call.initial_metadata()
    await call.write(site.update[:CUT])
    await site.has_part(CUT)
    client, told = site.client(service.address, by_channel=False), list[int]()
    async with asyncio.timeout(25):  # a silent stream would end after 30 s
        assert (await client.reveal(TASK, ROUND, site.reveal, site.file, told.append)).accepted
    assert told[0] == CUT
    assert client.sent == len(site.update) - CUT
    with pytest.raises(grpc.aio.AioRpcError, match="its node has called anew"):
        await call


async def test_upload__part_is_of_other_bytes__refused_and_begun_anew(site: Site) -> None:
    service = await site.serve()
    client = site.client(service.address, by_channel=False)
    other = site.folder / "other"
    other.write_bytes(site.update[::-1])
    with pytest.raises(Refused, match="expected"):
        await client.reveal(TASK, ROUND, site.reveal, other)
    assert (await client.reveal(TASK, ROUND, site.reveal, site.file)).accepted
    assert client.sent == 2 * len(site.update)


async def test_upload__of_another_nodes_update__refused_and_nothing_kept(site: Site) -> None:
    service = await site.serve()
    for signer, words in ((site.other, "that the node committed to"), (Signer.ephemeral(), "no Supernode")):
        with pytest.raises(Refused, match=words):
            await site.client(service.address, signer).reveal(TASK, ROUND, site.reveal, site.file)
    assert not site.parts()


async def test_upload__next_round_begins__what_is_left_of_the_last_one_goes(site: Site) -> None:
    (site.disk.tmp / f"upload-{TASK}-{ROUND}-aa-bb").write_bytes(b"part")
    (site.disk.tmp / f"upload-{TASK}-{ROUND + 1}-aa-bb").write_bytes(b"part")
    (site.disk.tmp / "another").write_bytes(b"download")
    site.start(RoundId(ROUND + 1))
    names = {path.name for path in site.disk.tmp.iterdir()}
    assert names == {f"upload-{TASK}-{ROUND + 1}-aa-bb", "another"}


async def test_fetch_forced__nobody_has_the_update_yet__says_no_word_of_our_disk_and_goes_on(
    site: Site,
) -> None:
    node, reveal = site.node.address, site.reveal
    site.collection.opened_on_chain[node] = reveal
    fetching = asyncio.create_task(site.intake.fetch_forced(node, site.collection))
    async with asyncio.timeout(30):
        while not site.told:  # noqa: ASYNC110  (it is reported to nobody who could wake us)
            await asyncio.sleep(0.01)
    why = f"update 0x{reveal.cid.digest.hex()}: no source had it within 60 s; is it pinned?"
    assert site.collection.rejected == {node: why}
    assert ("not fetched", {"round": ROUND, "node": node, "reason": why}) in site.told
    assert site.arriving == [reveal.cid]  # so that it goes with its round
    await site.disk.put_bytes(site.update)
    async with asyncio.timeout(30):
        await fetching
    assert site.collection.reveals[node].failure is None
