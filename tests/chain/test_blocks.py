from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dao.chain.blocks import KEEP, BlockRef, RecentBlocks, read_block
from dao.chain.fees import Fees, compute_fees, compute_raised_fees
from dao.core.types import BlockNumber, Digest, Timestamp, Wei
from dao.errors import RpcError


def block(number: int, parent: BlockRef | None, fork: int = 0) -> BlockRef:
    above = parent.hash if parent is not None else bytes(32)
    name = sha256(above + bytes([fork])).digest()
    return BlockRef(BlockNumber(number), Digest(name), Digest(above), Timestamp(number), Wei(7))


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 8)), max_size=12))
def test_recent_blocks__any_reorgs__equals_a_plain_list(moves: list[tuple[int, int]]) -> None:
    chain = [block(0, None)]
    recent = RecentBlocks(chain[0])
    for fork, (depth, length) in enumerate(moves):
        gone = chain[max(1, len(chain) - depth) :]
        del chain[max(1, len(chain) - depth) :]
        for _ in range(length):
            chain.append(block(len(chain), chain[-1], fork % 250))
            assert recent.links(chain[-1])
            recent.extend(chain[-1])
        assert recent.tip == chain[-1]
        assert all(recent.holds(known) and recent.at(known.number) == known for known in chain)
        assert not any(recent.holds(lost) for lost in gone if lost not in chain)
        assert recent.at(len(chain)) is None


def test_recent_blocks__long_run__keeps_the_newest() -> None:
    recent = RecentBlocks(block(5, None))
    for number in range(6, 5 + KEEP + 10):
        recent.extend(block(number, recent.tip))
    assert recent.lowest == recent.tip.number - KEEP + 1
    assert recent.at(recent.lowest) is not None
    assert recent.at(recent.lowest - 1) is None


def test_recent_blocks__block_of_another_parent__does_not_link() -> None:
    recent = RecentBlocks(block(5, None))
    assert not recent.links(block(6, block(5, None, 1)))
    assert not recent.links(block(7, recent.tip))


def test_read_block__malformed__refused() -> None:
    good = {"number": "0x1", "hash": "0x" + "11" * 32, "parentHash": "0x" + "22" * 32, "timestamp": "0x5"}
    assert read_block(good).base_fee == 0
    assert read_block({**good, "baseFeePerGas": "0x10"}).base_fee == 16
    bad: object
    for bad in (None, [], {}, {**good, "number": None}, {**good, "hash": "0xzz"}, {**good, "timestamp": 5}):
        with pytest.raises(RpcError, match="block"):
            read_block(bad)


fees = st.builds(Fees, st.integers(1, 10**12).map(Wei), st.integers(0, 10**10).map(Wei))


@given(fees, st.integers(0, 10**12), st.integers(0, 10**10), st.integers(1, 10**13))
def test_raised_fees__any__both_a_tenth_higher_within_the_cap(
    old: Fees, base: int, tip: int, cap: int
) -> None:
    old = replace(old, tip=min(old.tip, old.max_fee))
    new = compute_raised_fees(old, Wei(base), Wei(tip), Wei(cap))
    if new is None:
        assert cap < max(old.max_fee * 11 // 10 + 1, 2 * base + tip) or old.tip * 11 // 10 + 1 > cap
    else:
        assert 10 * new.max_fee >= 11 * old.max_fee
        assert 10 * new.tip >= 11 * old.tip
        assert new.tip <= new.max_fee <= cap


@given(st.integers(0, 10**12), st.integers(0, 10**10), st.integers(1, 10**13))
def test_first_fees__any__within_the_cap(base: int, tip: int, cap: int) -> None:
    first = compute_fees(Wei(base), Wei(tip), Wei(cap))
    assert 0 <= first.tip <= first.max_fee <= cap
