"""Cards that tasks name: read from a source by their digest, refused where they are none, waited for where they are missing."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dao.chain.interface import load
from dao.chain.structs import rules_fields
from dao.core.constants import MAX_CARD
from dao.core.formats.card import Card, write_card
from dao.core.types import Address, Digest
from dao.devnet.anvil import Anvil
from dao.index import content_reader
from dao.index.proposed_cards import list_proposed_cards
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from tests.index.world import indexing, until
from tests.support import RULES, Network, deploy_network

GOOD, LATE = write_card(Card("Digits")), write_card(Card("Late"))
NONE, LONG = b'{"format":"card/1"}', GOOD + b" " * MAX_CARD
COORDINATOR = Address(b"c" * 20)


@pytest.fixture(scope="module")
def network(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return deploy_network(anvil, tmp_path_factory.mktemp("network"))


async def test_cards__good_none_too_long_and_missing__each_as_far_as_it_is_known(
    network: Network, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_reader, "_SOON", 0.1)
    store = DiskStore(tmp_path / "store")
    tasks = {
        content: await network.new_task(replace(RULES, card=cid_of_bytes(content).digest))
        for content in (GOOD, NONE, LONG, LATE)
    }
    for content in (GOOD, NONE, LONG):
        await store.put_bytes(content)
    async with indexing(network, database, store) as indexed:
        await indexed.caught_up()
        found = {}

        def is_read(*contents: bytes) -> bool:
            for content, number in tasks.items():
                task = indexed.reads.find_task(number)
                assert task is not None
                found[content] = task.card
            return all(found[content] is not None for content in contents)

        await until(indexed, lambda: is_read(GOOD, NONE, LONG))
        assert found[LATE] is None
        assert (found[GOOD].card, found[GOOD].refusal) == (Card("Digits"), None)  # type: ignore[union-attr]
        assert found[GOOD].cid == str(cid_of_bytes(GOOD))  # type: ignore[union-attr]
        for content, reason in ((NONE, "card.base"), (LONG, str(MAX_CARD))):
            card = found[content]
            assert card is not None
            assert card.card is None
            assert reason in (card.refusal or "")
        await store.put_bytes(LATE)
        await until(indexed, lambda: is_read(LATE))
        assert found[LATE].card == Card("Late")  # type: ignore[union-attr]


def test_list_proposed_cards__calls_of_the_coordinator_alone__and_none_that_it_would_refuse() -> None:
    functions = load("TrainingCoordinator").functions
    create = functions["createTask"].encode(rules_fields(RULES), 0)
    other = replace(RULES, card=Digest(b"o" * 32))
    change = functions["changeRules"].encode(1, rules_fields(other))
    calls = [
        (COORDINATOR, create),
        (COORDINATOR, change),
        (Address(b"x" * 20), create),
        (COORDINATOR, change[:-1]),
        (COORDINATOR, b""),
    ]
    found = list_proposed_cards(COORDINATOR, [to for to, _ in calls], [data for _, data in calls])
    assert list(found) == [RULES.card, other.card]
