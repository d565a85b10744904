"""`dao task watch` and `dao task show` of rounds that came to nothing, of content that is none, and of a task that its card ended."""

import asyncio
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dao.audit.site_states import TaskSites
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.events import Joined
from dao.chain.rounds import SETTLED
from dao.cli.chain_options import ChainOptions
from dao.cli.content_options import ContentOptions
from dao.cli.task_watch import follow
from dao.core.formats.card import Card, Stop, write_card
from dao.core.formats.manifest import Manifest, dump_manifest
from dao.core.statement import compute_result
from dao.core.types import ZERO_DIGEST, Digest, RoundId, TaskId, Timestamp, hex_of
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from tests.cli.command import Dao
from tests.index.world import manifest_of, root_of
from tests.support import RULES, Member, Network

ROUND = RoundId(1)
CARD = write_card(Card("Cells", stop=Stop(1, 10**9)))


class Site:
    """A task of one Supernode, whose Superlink says what a test has it say, and the words that name it to commands."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network, self.folder, self.store = network, folder, DiskStore(folder / "store")
        self.manifest: Manifest | None = None
        self.task, self.superlink, self.members = asyncio.run(self._make())
        network.deployment.save(folder / "deployment.json")

    async def _make(self) -> tuple[TaskId, Member, list[Member]]:
        card = await self.store.put_bytes(CARD)
        return await self.network.new_round_ready(1, card=card.digest)

    @property
    def words(self) -> Sequence[object]:
        network = ("--rpc", self.network.anvil.ws, "--deployment", self.folder / "deployment.json")
        return (self.task, "--store", self.folder / "store", *network)

    async def open(self) -> None:
        async with (
            self.network.chain() as chain,
            self.network.sender(chain, self.superlink.operator) as sender,
        ):
            await sender.send(Coordinator(chain).open_round(self.task))

    async def abort(self, round_id: RoundId) -> None:
        async with (
            self.network.chain() as chain,
            self.network.sender(chain, self.superlink.operator) as sender,
        ):
            late = Timestamp(chain.head().timestamp + RULES.commit_period + RULES.result_period + 1)
            self.network.anvil.request("anvil_setNextBlockTimestamp", late)
            self.network.anvil.request("evm_mine")
            await chain.reach(timestamp=late, limit=30)
            await sender.send(Coordinator(chain).abort(self.task, round_id))

    async def play(self, content: bytes = b"") -> None:
        """Play a round, with another content than its manifest if one is given."""
        async with (
            self.network.chain() as chain,
            self.network.sender(chain, self.superlink.operator) as sender,
        ):
            coordinator = Coordinator(chain)
            opened = await sender.send(coordinator.open_round(self.task))
            number, block = RoundId(opened.events[0].round), opened.events[0].block  # type: ignore[attr-defined]
            closing = coordinator.close_commits(
                self.task, number, block, root_of(self.members), ZERO_DIGEST, 1, 0
            )
            seed: Digest = (await sender.send(closing)).events[0].seed  # type: ignore[attr-defined]
            self.manifest = manifest_of(self.network, self.task, seed, {self.members[0]: 3000}, self.manifest)
            content = content or dump_manifest(self.manifest)
            await self.store.put_bytes(content)
            digest = cid_of_bytes(content).digest
            result = compute_result(self.manifest, (), self.manifest.model.digest, digest)
            await sender.send(coordinator.post_result(self.task, number, result))


@pytest.fixture
def site(own_network: Network, tmp_path: Path) -> Site:
    return Site(own_network, tmp_path)


def test_watch__json__each_state_and_an_aborted_round_is_an_object(site: Site, dao: Dao) -> None:
    asyncio.run(site.open())
    with dao.running("task", "watch", *site.words, "--json") as watching:
        told = json.loads(watching.line())
        assert told.pop("why").startswith("its commit is due until 20")
        node = hex_of(site.members[0].operator.address)
        assert told == {"node": node, "standing": "waiting", "round": 1}
        asyncio.run(site.abort(ROUND))
        assert json.loads(watching.line()) == {"round": 1, "phase": "aborted", "ended": ""}
        code, out, errors = watching.stop(signal.SIGINT)
    assert (code, out, "Traceback" in errors) == (130, "", False)
    code, _ = dao.asked("task", "watch", *site.words, at="round 1 was aborted", press=b"\x03")
    assert code == 130


def test_commands__newest_manifest_is_none__say_so_and_go_on(site: Site, dao: Dao) -> None:
    asyncio.run(site.play(b"garbage"))
    shown = dao.json("task", "show", *site.words)
    assert (shown["last_round"], shown["name"]) == (1, "Cells")
    assert shown["trouble"].startswith("who was missing: manifest")
    with dao.running("task", "watch", *site.words) as watching:
        assert watching.process.stderr is not None
        assert watching.process.stderr.readline().startswith("dao: manifest")
        asyncio.run(site.play())
        assert watching.line().startswith("round 2: 0x")
        assert watching.stop(signal.SIGINT)[0] == 130


def test_commands__card_ends_the_task__say_so_until_another_round_is_open(site: Site, dao: Dao) -> None:
    asyncio.run(site.play())
    assert "ended" not in dao.json("task", "show", *site.words)
    asyncio.run(site.play())
    ended = dao.json("task", "show", *site.words)["ended"]
    assert ended.startswith("its card ends it: the best loss of its last round (2.2) is not")
    with dao.running("task", "watch", *site.words) as watching:
        assert watching.line().startswith("round 2: 0x")
        assert watching.line() == ended
        assert watching.stop(signal.SIGINT)[0] == 130
    asyncio.run(site.open())
    assert "ended" not in dao.json("task", "show", *site.words)


async def test_follow__a_second_look__reads_who_joined_on_from_the_first(
    own_network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, superlink, _ = await own_network.new_round_ready(1)
    own_network.anvil.request("anvil_mine", hex(2 * SETTLED))
    async with own_network.chain() as chain, own_network.sender(chain, superlink.operator) as sender:
        opened = await sender.send(Coordinator(chain).open_round(task))
    own_network.deployment.save(tmp_path / "deployment.json")
    DiskStore(tmp_path / "store")
    read: list[int] = []
    looks: list[str] = []
    past = Chain.past

    async def record(self: Chain, kind: type[Any], **where: Any) -> list[Any]:
        if kind is Joined:
            read.append(where["from_block"])
        return await past(self, kind, **where)

    def show(found: TaskSites, trouble: str) -> None:
        looks.append(trouble or found.sites[0].why)
        if len(looks) == 2:
            raise EOFError

    monkeypatch.setattr(Chain, "past", record)
    network = ChainOptions(rpc=own_network.anvil.ws, deployment=tmp_path / "deployment.json")
    with pytest.raises(EOFError):
        await follow(task, network, ContentOptions(store=[tmp_path / "store"]), show)
    assert looks[0] == looks[1]
    assert read == [own_network.deployment.block, opened.block - SETTLED + 1]
