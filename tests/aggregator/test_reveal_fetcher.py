"""What was opened on chain is read until all of it is there."""

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

from aggregator.reveal_fetcher import RevealFetcher


async def test_look__chain_counts_a_reveal_before_it_shows_it__read_again_with_the_next_news() -> None:
    shown: list[list[str]] = [[], ["reveal"]]
    taken: list[list[str]] = []

    async def read(*_: object) -> list[str]:
        return shown.pop(0)

    async def count(*_: object) -> int:
        return 1

    reader, nobody = cast("Any", SimpleNamespace(forced_reveals_of=read)), cast("Any", None)
    chain = cast("Any", SimpleNamespace(deployment=MagicMock()))
    fetcher = RevealFetcher(chain, reader, nobody)
    cast("Any", fetcher)._contract = SimpleNamespace(count_of=count)
    collection = cast(
        "Any",
        SimpleNamespace(
            task=1, round=1, doubtful=(), awaited_by_chain=frozenset(), take_forced_reveals=taken.append
        ),
    )
    for _ in range(3):
        await fetcher.look(collection, nobody, nobody)
    assert taken == [[], ["reveal"]]
