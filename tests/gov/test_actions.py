"""What proposals do: to calls and back, in words, and as the contracts count them."""

from dataclasses import replace

import pytest

from dao.chain.deployment import Deployment
from dao.chain.governance import Governor
from dao.core.engine.keccak import keccak256
from dao.core.formats.address import checksummed
from dao.core.types import ZERO_ADDRESS, Address, BlockNumber, RoundId, TaskId, Wei
from dao.gov import actions as do
from dao.gov.describe import describe_action, describe_delegation
from dao.gov.units import format_amount, format_duration
from tests.support import RULES, Network, digest

TOKEN = 10**18
ANN = Address(b"\xa1" * 20)
BEN = Address(b"\xb2" * 20)
PLACES = Deployment(1, BlockNumber(1), *(Address(bytes([n]) * 20) for n in range(1, 11)))
ACTIONS: list[do.Known] = [
    do.CreateTask(RULES, Wei(5 * TOKEN)),
    do.CloseTask(TaskId(1), PLACES.timelock),
    do.RecoverUnclaimed(TaskId(1), PLACES.timelock),
    do.ChangeRules(TaskId(2), RULES),
    do.Admit(TaskId(2), ANN, admitted=True),
    do.Admit(TaskId(2), ANN, admitted=False),
    do.ReplaceSuperlink(TaskId(3), ANN),
    do.AppendShards(TaskId(3), 120, digest(1), tuple(map(digest, range(16)))),
    do.Resolve(TaskId(1), RoundId(7), valid=True),
    do.Resolve(TaskId(1), RoundId(7), valid=False),
    do.Grant(ANN, Wei(TOKEN // 2)),
    do.Approve(PLACES.distributor, Wei(1)),
    do.Fund(TaskId(1), Wei(1000 * TOKEN)),
    do.PauseTasks(),
    do.UnpauseTasks(),
    do.PauseStaking(),
    do.UnpauseStaking(),
    do.SetSlasher(ANN, allowed=True),
    do.SetProver(ANN, allowed=False),
    do.SetDisputes(BEN),
    do.SetVotingDelay(3600),
    do.SetVotingPeriod(86_400),
    do.SetThreshold(Wei(TOKEN)),
    do.SetQuorum(4),
    do.SetLateExtension(90),
    do.SetTimelockDelay(172_800),
]


def test_actions__every_kind__is_tried_here() -> None:
    assert {type(action) for action in ACTIONS} == set(do.KINDS)


@pytest.mark.parametrize("action", ACTIONS)
def test_action__to_a_call_and_back__the_same(action: do.Known) -> None:
    call = do.encode_action(action, PLACES)
    assert do.decode_action(*call, PLACES) == action
    sentence = describe_action(action, PLACES)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "Unknown" not in sentence


@pytest.mark.parametrize("action", ACTIONS)
def test_action__ether_other_target_or_other_bytes__unknown(action: do.Known) -> None:
    target, value, data = do.encode_action(action, PLACES)
    for call in (
        (target, Wei(1), data),
        (ANN, value, data),
        (target, value, data + bytes(32)),
        (target, value, b"\1\2\3\4" + data[4:]),
        *([(target, value, data[:-32])] if len(data) > 4 else []),
    ):
        found = do.decode_action(*call, PLACES)
        assert found == do.Unknown(*call)
        assert do.encode_action(found, PLACES) == call
        assert describe_action(found, PLACES).startswith("Call ")


def test_unknown__own_contract__function_and_arguments_in_words() -> None:
    from dao.chain.interface import load

    data = load("DaoGovernor").functions["updateTimelock"].encode(ANN)
    words = describe_action(do.decode_action(PLACES.governor, Wei(0), data, PLACES), PLACES)
    assert words == f"Call the governor (0x{PLACES.governor.hex()}): updateTimelock(0x{ANN.hex()})."


def test_words__amounts_and_times__exact_with_units() -> None:
    assert format_amount(Wei(1234 * TOKEN + TOKEN // 2)) == "1,234.5 tokens"
    assert format_amount(Wei(TOKEN)) == "1 token"
    assert format_amount(Wei(1)) == "0.000000000000000001 tokens"
    assert [format_duration(s) for s in (0, 1, 90, 60, 7200, 86_400)] == [
        *("0 seconds", "1 second", "90 seconds", "1 minute", "2 hours", "1 day")
    ]


def test_encode_actions__funds__bring_their_approval() -> None:
    made = do.encode_actions(
        [do.CreateTask(RULES, Wei(5)), do.CreateTask(RULES, Wei(0)), do.PauseTasks()], PLACES
    )
    found = [
        do.decode_action(*call, PLACES)
        for call in zip(made.targets, made.values, made.calldatas, strict=True)
    ]
    assert found == [
        do.Approve(PLACES.distributor, Wei(5)),
        do.CreateTask(RULES, Wei(5)),
        do.CreateTask(RULES, Wei(0)),
        do.PauseTasks(),
    ]


async def test_proposal_id__as_the_governor_counts_it(network: Network) -> None:
    made = do.encode_actions([do.Grant(ANN, Wei(5)), do.Fund(TaskId(1), Wei(7))], network.deployment)
    async with network.chain() as chain:
        told = await Governor(chain)._read(
            "hashProposal",
            *(list(made.targets), list(made.values), list(made.calldatas)),
            keccak256("Grüße".encode()),
            at=chain.head(),
        )
    assert do.compute_proposal_id(made, "Grüße") == told
    assert do.compute_proposal_id(made, "Gruß") != told
    assert do.compute_proposal_id(replace(made, values=(Wei(1), *made.values[1:])), "Grüße") != told


def test_delegation__to_oneself_another_and_nobody__in_words() -> None:
    what = "your staked tokens"
    assert describe_delegation(what, ANN, ANN) == "Let your staked tokens vote as you do."
    assert describe_delegation(what, ANN, BEN) == f"Let your staked tokens vote as {checksummed(ANN)} does."
    assert describe_delegation(what, ZERO_ADDRESS, ANN).endswith(
        "vote for nobody: their votes count for nothing."
    )
