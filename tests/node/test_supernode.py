"""Which rounds a Supernode plays: what it has not ended, and what the chain opens anew after its end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dao.chain.signer import Signer
from dao.core.commits import Reveal, SignedPass
from dao.core.types import Address, Digest, Domain, Phase, RoundId, TaskId, hex_of
from dao.errors import AppError
from dao.store.cid import cid_of_bytes
from node.journal import Step, SupernodeJournal
from node.supernode import Supernode

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]

SIGNER = Signer(b"k" * 32)
TASK = TaskId(1)
REVEAL = Reveal(cid_of_bytes(b"update"), Digest(b"r" * 32), Digest(b"s" * 32))


def opening_of(block: int) -> Digest:
    return Digest(block.to_bytes(32, "big"))


class Chain:
    """A task's rounds as the chain's node shows them; `waiting` once nothing is left to play."""

    def __init__(self) -> None:
        self.rounds: dict[int, tuple[Phase, int]] = {}  # phase, and the block of its opening
        self.reorgs, self.waiting, self._moved = 0, asyncio.Event(), asyncio.Event()

    def show(self, *rounds: tuple[Phase, int], reorg: bool = False) -> None:
        """Show the rounds from the first on."""
        self.rounds, self.reorgs = dict(enumerate(rounds, 1)), self.reorgs + reorg
        self.waiting.clear()
        self._moved.set()

    async def read_last_round(self) -> RoundId:
        return RoundId(len(self.rounds))

    async def read_state(self, round_id: int) -> SimpleNamespace:
        phase, block = self.rounds.get(round_id, (Phase.NONE, 0))
        return SimpleNamespace(phase=phase, opening=opening_of(block), open_block=block, opened_at=0)

    async def wait_next_round(self, after: int, since: int) -> RoundId:
        while len(self.rounds) <= after and since == self.reorgs:
            self._moved.clear()
            self.waiting.set()
            await self._moved.wait()
        return RoundId(len(self.rounds))

    async def ask_ahead(self, *_: object) -> None:
        pass


class Player(Supernode):
    """Notes what it plays, and ends each round, with a commit to its opening."""

    def __init__(self, chain: Chain, journal: SupernodeJournal) -> None:
        self.played: list[tuple[int, int]] = []
        self.is_idle: bool | None = None
        nothing = SimpleNamespace(release=lambda: None)
        maker = SimpleNamespace(signer=SIGNER)
        deps = SimpleNamespace(
            reader=chain, journal=journal, readiness=self, outcomes=nothing, update_maker=maker
        )
        super().__init__(TASK, cast("Any", deps))
        self._chain, self._kept = chain, journal
        self.during: dict[int, Any] = {}  # what happens while a round is played, once

    async def prepare(self, _: RoundId, is_idle: bool) -> None:
        self.is_idle = is_idle

    async def stop(self) -> None:
        pass

    async def play(self, round_id: RoundId, missed: str) -> None:
        state = await self._read_state(round_id)
        self.played.append((round_id, state.open_block))
        ends(self._kept, round_id, state.open_block)
        if happens := self.during.pop(round_id, None):
            happens()
            await self._read_state(round_id)


def ends(journal: SupernodeJournal, round_id: int, block: int, *, signs: bool = True) -> None:
    """What the journal has of a round that this node has nothing left to do in."""
    place = TASK, RoundId(round_id)
    journal.see(*place, block)
    if signs:
        journal.sign(*place, opening_of(block), REVEAL, SIGNER.sign)
    journal.reach(*place, Step.ENDED, "said before")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SupernodeJournal]:
    journal = SupernodeJournal(tmp_path / "journal", Domain(1, Address(bytes(20))), SIGNER.address)
    yield journal
    journal.close()


async def played(chain: Chain, journal: SupernodeJournal, *later: Any) -> list[tuple[int, int]]:
    """Start a daemon, and after it each time that it waits let something happen; the rounds that it played."""
    player = Player(chain, journal)
    running = asyncio.create_task(player.run())
    for happens in (*later, None):
        waiting = asyncio.create_task(chain.waiting.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert not running.done(), running.exception()
        if happens:
            happens()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return player.played


POSTED, OPEN = (Phase.POSTED, 10), (Phase.OPEN, 20)


async def test_start__round_opened_anew_while_it_was_down__goes_back_to_it(journal: SupernodeJournal) -> None:
    chain = Chain()
    for number in (1, 2, 3):
        ends(journal, number, 10 * number)
    chain.show(POSTED, (Phase.OPEN, 24))
    assert await played(chain, journal) == [(2, 24)]


async def test_start__newest_round_is_gone_while_it_goes_on_with_it__goes_back_to_the_one_opened_anew(
    journal: SupernodeJournal,
) -> None:
    chain = Chain()
    for number in (1, 2):
        ends(journal, number, 10 * number)
    journal.see(TASK, RoundId(3), 30)
    chain.show(POSTED, (Phase.POSTED, 20), (Phase.OPEN, 30))
    player = Player(chain, journal)
    player.during[3] = lambda: chain.show(POSTED, (Phase.OPEN, 24), reorg=True)
    running = asyncio.create_task(player.run())
    await chain.waiting.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert player.played == [(3, 30), (2, 24)]


async def test_wait__round_that_it_ended_is_opened_anew__plays_it_again(journal: SupernodeJournal) -> None:
    chain = Chain()
    chain.show(POSTED, OPEN)
    anew = [
        lambda: chain.show(POSTED, reorg=True),
        lambda: chain.show(POSTED, (Phase.OPEN, 24)),
    ]
    assert await played(chain, journal, *anew) == [(2, 20), (2, 24)]


@pytest.mark.parametrize("phase", [Phase.POSTED, Phase.FROZEN, Phase.FINALIZED, Phase.ABORTED, Phase.VOID])
async def test_start__round_has_ended__is_not_played_again(journal: SupernodeJournal, phase: Phase) -> None:
    chain = Chain()
    ends(journal, 1, 10)
    chain.show((phase, 10))
    assert await played(chain, journal, lambda: chain.show((phase, 10), reorg=True)) == []
    assert journal.note_of(TASK, RoundId(1)).reason == "said before"


@pytest.mark.parametrize(("signs", "times"), [(True, 1), (False, 0)])
async def test_start__round_closed_again_by_the_chain__is_played_where_it_has_a_commit(
    journal: SupernodeJournal, signs: bool, times: int
) -> None:
    chain = Chain()
    ends(journal, 1, 10, signs=signs)
    chain.show((Phase.CLOSED, 10))
    assert await played(chain, journal) == [(1, 10)] * times


async def test_pass__round_played_again__passes_the_same_opening_and_commits_to_another(
    journal: SupernodeJournal,
) -> None:
    passes: list[tuple[Digest, str]] = []
    asked: list[Digest] = []

    class Site(Chain):
        async def is_joined(self, _: object) -> bool:
            return True

        async def read_rules_of(self, _: object) -> SimpleNamespace:
            return SimpleNamespace(quorum=2)

        async def wait_change(self, *_: object) -> None:
            await asyncio.Future()

    async def fail(_: object, opened: Any, *__: object) -> None:
        asked.append(opened.opening)
        raise AppError("train: no rows")

    async def sit_out(one: SignedPass, *_: object) -> None:
        passes.append((one.opening, hex_of(one.signature)))

    chain = Site()
    deps = SimpleNamespace(
        reader=chain,
        journal=journal,
        update_maker=SimpleNamespace(signer=SIGNER, make_commit=fail),
        submission=SimpleNamespace(
            foresee=lambda *_: None, sit_out=sit_out, domain=Domain(1, Address(bytes(20)))
        ),
        outcomes=SimpleNamespace(release=lambda: None),
    )
    for block in (10, 10, 14):
        chain.show((Phase.OPEN, block))
        await Supernode(TASK, cast("Any", deps)).take_part(RoundId(1))
        assert journal.note_of(TASK, RoundId(1)).reason == "train: no rows"
    assert asked == [opening_of(10), opening_of(14)]
    assert [opening for opening, _ in passes] == [opening_of(10), opening_of(10), opening_of(14)]
