"""Nodes that do not reveal what they committed to: each gets a status and a reason, and the others their pay."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aggregator.collection import Collection
from dao.app.gradient_client import GradientClient
from dao.audit import exit_code
from dao.content.tensor_files import compute_update_limit
from dao.core.commits import Reveal
from dao.core.constants import UPDATE_MAGIC
from dao.core.formats.canonical import write_canonical
from dao.core.formats.cid import Cid
from dao.core.formats.fault import Fault
from dao.core.formats.layout import Layout, Model
from dao.core.formats.manifest import Manifest
from dao.core.formats.manifest import Node as Row
from dao.core.formats.update import encode_update_prefix
from dao.core.types import Codec, Digest, RoundId, Status
from dao.store.cid import cid_of_bytes
from dao.wire.messages import Ack, RevealRequest
from dao.wire.superlink_client import SuperlinkClient
from tests.aggregator.assignment import SHAPES, Assignment
from tests.aggregator.world import Node, Patient, World
from tests.audit.stage import audit_of
from tests.support import Network, digest

pytestmark = pytest.mark.asyncio(loop_scope="session")

LAYOUT = Layout.of(SHAPES)


def header(codec: str, tensors: Any) -> bytes:
    """The start of an update that says this of itself."""
    words = write_canonical({"carried": [], "codec": codec, "tensors": tensors})
    return UPDATE_MAGIC + len(words).to_bytes(4, "big") + words


def tensors(**changes: Any) -> list[list[Any]]:
    """The model's tensors, some changed, added or (None) left out."""
    shapes = {name: list(shape) for name, shape in SHAPES.items()} | {
        name.replace("_", "."): shape for name, shape in changes.items()
    }
    return [[name, shape] for name, shape in sorted(shapes.items()) if shape is not None]


def body(update: bytes, codec: Codec = Codec.INT8) -> bytes:
    return update[len(encode_update_prefix(LAYOUT, codec)) :]


def with_byte(update: bytes, place: int, byte: int) -> bytes:
    """The update with one byte of its body changed; from the end where `place` is negative."""
    first = len(encode_update_prefix(LAYOUT, Codec.INT8))
    where = place % (len(update) - first) + first
    return update[:where] + bytes([byte]) + update[where + 1 :]


def with_float(update: bytes, value: float) -> bytes:
    """The float32 update with another first value."""
    first = len(encode_update_prefix(LAYOUT, Codec.FLOAT32))
    return update[:first] + np.array(value, ">f4").tobytes() + update[first + 4 :]


def honest_with_float(value: float, node: Node, base: Model) -> bytes:
    return with_float(Node.honest(node, base), value)


Spoil = Callable[[bytes], bytes]
# what a node commits to in place of its update, and what the manifest says of it
INVALID: dict[str, tuple[Spoil, str]] = {
    "another shape": (lambda u: header("int8", tensors(**{"0_bias": [4, 4]})) + body(u), "0.bias"),
    "tensor left out": (lambda u: header("int8", tensors(**{"2_bias": None})) + body(u), "2.bias"),
    "tensor too many": (lambda u: header("int8", tensors(extra=[1])) + body(u), "extra"),
    "another codec": (lambda u: header("float32", tensors()) + body(u), "codec"),
    "exponent of 32": (lambda u: with_byte(u, 256, 32), "0.bias"),
    "value of -128": (lambda u: with_byte(u, 0, 0x80), "0.bias"),
    "value in the padding": (lambda u: with_byte(u, 20, 1), "0.bias"),
    "cut off": (lambda u: u[:-1], "bytes"),
    "longer": (lambda u: u + b"\0", "bytes"),
    "not an update": (lambda _: b'{"format":"manifest/1"}', "update"),
    "endless header": (lambda u: UPDATE_MAGIC + b"\xff\xff\xff\xff" + body(u), "header"),
    "nested header": (lambda _: UPDATE_MAGIC + (10**6).to_bytes(4, "big") + b"[" * 10**6, "header"),
    "many tensors": (lambda _: header("int8", [[f"{i:06}", []] for i in range(60_000)]), "tensor"),
    "endless shape": (lambda u: header("int8", tensors(**{"0_bias": [2**52, 2**52]})) + body(u), "0.bias"),
}


async def until_over(collection: Collection) -> None:
    """Wait until the Superlink takes no more reveals."""
    while collection.accepts_reveals:  # noqa: ASYNC110  (nothing tells of a time that is over)
        await asyncio.sleep(0.01)


class Other(Node):
    """Reveals another content than it committed to."""

    async def reveal(
        self, client: SuperlinkClient, round_id: RoundId, cid: Cid, root: Digest, sent: bytes
    ) -> None:
        other = with_byte(sent, 1, 7)
        await super().reveal(client, round_id, cid_of_bytes(other), root, other)


class Late(Node):
    """Reveals once reveals are over."""

    running: Any = None

    async def reveal(
        self, client: SuperlinkClient, round_id: RoundId, cid: Cid, root: Digest, sent: bytes
    ) -> None:
        collection = await self.world.collection(self.running, round_id)
        await until_over(collection)
        await super().reveal(client, round_id, cid, root, sent)


class Slow(Late):
    """Is not done with sending when reveals are over."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.began = asyncio.Event()

    async def reveal(
        self, client: SuperlinkClient, round_id: RoundId, cid: Cid, root: Digest, sent: bytes
    ) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield sent[:100]
            self.began.set()
            collection = await self.world.collection(self.running, round_id)
            await until_over(collection)
            yield sent[100:]

        reveal = Reveal(cid, root, self.salt)
        request = RevealRequest(self.world.task, round_id, reveal, len(sent), by_ipfs=False)
        intake = self.running.superlink._deps.intake
        try:
            await intake.on_reveal(self.signer.address, request, lambda incoming: incoming.take(pieces()))
        except Exception as error:  # noqa: BLE001
            self.acks.append(error)


def row_of(manifest: Manifest, node: Node) -> Row:
    return next(row for row in manifest.nodes if row.node == node.signer.address)


def cast(world: World) -> dict[str, Node]:
    """Three honest nodes, and one for each thing that may be wrong."""
    kinds = {"withheld": Node, "other content": Other, "late": Late, "slow": Slow}
    names = ["honest 1", "honest 2", "honest 3", *INVALID, "other bytes", "another root", "too large", *kinds]
    nodes = {
        name: kinds.get(name, Node)(world, member, index)
        for index, (name, member) in enumerate(zip(names, world.members, strict=True))
    }
    for name, (spoil, _) in INVALID.items():
        nodes[name].content = lambda node, base, spoil=spoil: spoil(Node.honest(node, base))
        nodes[name].declared_root = lambda _: digest(9)
    nodes["withheld"].reveals = False
    nodes["other bytes"].revealed = lambda update: with_byte(update, 1, 7)
    nodes["another root"].declared_root = lambda _: digest(9)
    nodes["too large"].declared_root = lambda _: digest(9)
    nodes["too large"].content = lambda *_: bytes(compute_update_limit(LAYOUT, Codec.INT8) + 1)
    return nodes


async def test_round__nodes_of_every_bad_kind__are_named_and_the_others_paid(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    patient = Patient(evaluator)
    world = await World.make(network, assignment, tmp_path, patient, 7 + len(INVALID) + 3)
    nodes = cast(world)
    tardy: list[Any] = [nodes["late"], nodes["slow"]]
    async with world.superlink() as running, network.chain() as chain:
        address = running.service.address
        patient.go.clear()
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            late = []
            for node in tardy:
                node.running = running
                late.append(group.create_task(node.take_part(chain, address, range(1, 2))))
            prompt = [
                group.create_task(node.take_part(chain, address, range(1, 2)))
                for node in nodes.values()
                if node not in tardy
            ]
            group.create_task(running.superlink.run(1))
            slow = nodes["slow"]
            assert isinstance(slow, Slow)
            await asyncio.gather(*prompt, slow.began.wait())
            world.skip(world.rules.reveal_period)
            await asyncio.gather(*late)
            patient.go.set()
    manifest = await world.manifest(1)
    rows = {name: row_of(manifest, node) for name, node in nodes.items()}
    statuses = {name: row.status for name, row in rows.items()}
    honest = {name for name in rows if name.startswith("honest")}
    assert {statuses.pop(name) for name in honest} <= {Status.OK, Status.CLIPPED}
    expected = dict.fromkeys([*INVALID, "another root"], Status.INVALID)
    expected |= dict.fromkeys(["withheld", "other content"], Status.WITHHELD)
    expected |= dict.fromkeys(["other bytes", "too large", "late", "slow"], Status.LATE)
    assert statuses == expected
    faults = {name: row.fault for name, row in rows.items() if row.fault}
    assert faults == {"exponent of 32": Fault(0, 0), "value of -128": Fault(0, 0)}
    for name, (_, words) in INVALID.items():
        assert words in rows[name].reason, name
        (ack,) = nodes[name].acks
        assert isinstance(ack, Ack)
        assert words in ack.reason
        assert not ack.accepted
    assert "root" in rows["another root"].reason
    for name in ("other bytes", "other content", "too large"):
        assert "a reveal was refused: " in rows[name].reason
        assert isinstance(nodes[name].acks[0], Exception)
    assert all(row.reason for row in manifest.nodes)
    assert sum(rows[name].reward_wei for name in honest) == manifest.budget_wei
    checks = await audit_of(world, 1, tmp_path / "cache")
    assert exit_code([*checks.values()]) == 0, checks


FLOATS = {"nan": np.nan, "infinity": -np.inf, "denormal": 1e-42, "off the grid": 2.0**-33, "huge": 64.0}


async def test_round__float32_values_out_of_range__name_their_tensor(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, 7, codec=Codec.FLOAT32)
    for node, value in zip(world.nodes[2:], FLOATS.values(), strict=True):
        node.content = partial(honest_with_float, value)
    async with world.superlink() as running:
        await world.play(running)
    manifest = await world.manifest(1)
    for node, name in zip(world.nodes[2:], FLOATS, strict=True):
        row = row_of(manifest, node)
        assert row.status is Status.INVALID, name
        assert "tensor '0.bias'" in row.reason
    assert {row_of(manifest, node).status for node in world.nodes[:2]} <= {Status.OK, Status.CLIPPED}
    checks = await audit_of(world, 1, tmp_path / "cache")
    assert exit_code([*checks.values()]) == 0, checks


def broken_leaf(node: Node, base: Model) -> bytes:
    """The honest update, with the last two places of its leaf exchanged."""
    update = bytearray(node.honest(base))
    update[-5:-1] = update[-3:-1] + update[-5:-3]
    return bytes(update)


async def test_round__of_the_codec_topk__is_played_and_audited_and_a_broken_leaf_named(
    network: Network, assignment: Assignment, evaluator: GradientClient, tmp_path: Path
) -> None:
    world = await World.make(network, assignment, tmp_path, evaluator, 4, codec=Codec.TOPK)
    world.nodes[3].content = broken_leaf
    async with world.superlink() as running:
        await world.play(running, rounds=2)
    for number in (1, 2):
        manifest = await world.manifest(number)
        row = row_of(manifest, world.nodes[3])
        assert (row.status, row.fault) == (Status.INVALID, Fault(0, 0))
        assert "a leaf with places that rise" in row.reason
        assert {row_of(manifest, node).status for node in world.nodes[:3]} <= {Status.OK, Status.CLIPPED}
        checks = await audit_of(world, number, tmp_path / f"cache-{number}")
        assert exit_code([*checks.values()]) == 0, checks
