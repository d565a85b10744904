"""A network left to its members: who deployed it can do nothing, and whoever looks can tell."""

from pathlib import Path
from typing import Any

import pytest

from dao.chain.client import Chain
from dao.chain.contract_table import FIELDS
from dao.chain.contracts import Call, Coordinator, Registry, Token
from dao.chain.deploy import TOKEN, grant, timelock_execute
from dao.chain.disputes import Disputes
from dao.chain.event_codec import get_topic
from dao.chain.governance import ADMIN_ROLE, PROPOSER_ROLE, Actions, Governor, Support, Timelock
from dao.chain.governance_events import Approval
from dao.chain.handover import find_faults, hand_over
from dao.chain.interface import load
from dao.chain.structs import rules_fields
from dao.core.engine.keccak import keccak256
from dao.core.types import Address, BlockNumber, Digest, Wei, hex_of
from dao.devnet.anvil import dev_signer
from dao.errors import ChainError, Reverted
from dao.gov.actions import compute_proposal_id
from tests.support import RULES, Network

DEPLOYER, FOUNDER = dev_signer(0), dev_signer(3)
ANYONE = Address(b"\x0a" * 20)
OWNED: dict[
    str, dict[str, tuple[object, ...]]
] = {  # every function that only the DAO may call, with arguments that it would take
    "TrainingCoordinator": {
        "createTask": (rules_fields(RULES), 0),
        "closeTask": (1, ANYONE),
        "changeRules": (1, rules_fields(RULES)),
        "appendShards": (1, RULES.shards + 1, bytes(32), []),
        "setSuperlink": (1, ANYONE),
        "admit": (1, ANYONE, True),
        "resolve": (1, 1, False),
        "setDisputes": (ANYONE,),
        "strike": (1, 1),
        "pause": (),
        "unpause": (),
        "transferOwnership": (ANYONE,),
        "renounceOwnership": (),
    },
    "SupernodeRegistry": {
        "setSlasher": (ANYONE, True),
        "pause": (),
        "unpause": (),
        "transferOwnership": (ANYONE,),
        "renounceOwnership": (),
        "slash": (ANYONE, 1, ANYONE, 0),
    },
    "Disputes": {
        "setProver": (ANYONE, True),
        "transferOwnership": (ANYONE,),
        "renounceOwnership": (),
    },
    "RewardDistributor": {
        "fundFrom": (ANYONE, 1, 1),
        "activate": (1, bytes(32), 0),
        "refund": (1, ANYONE),
    },
    "DaoGovernor": {
        "setVotingDelay": (1,),
        "setVotingPeriod": (1,),
        "setProposalThreshold": (0,),
        "updateQuorumNumerator": (0,),
        "setLateQuorumVoteExtension": (0,),
        "updateTimelock": (ANYONE,),
        "relay": (ANYONE, 0, b""),
        "propose": ([ANYONE], [0], [b""], "mine"),
    },
    "TimelockController": {
        "schedule": (ANYONE, 0, b"", bytes(32), bytes(32), 10**6),
        "scheduleBatch": ([ANYONE], [0], [b""], bytes(32), bytes(32), 10**6),
        "cancel": (bytes(32),),
        "updateDelay": (0,),
        "grantRole": (PROPOSER_ROLE, DEPLOYER.address),
        "revokeRole": (PROPOSER_ROLE, ANYONE),
        "execute": (ANYONE, 0, b"", bytes(32), bytes(32)),
        "executeBatch": ([ANYONE], [0], [b""], bytes(32), bytes(32)),
    },
}
SOURCES = Path(__file__).parents[2] / "contracts"


async def test_hand_over__done__the_deployer_can_do_nothing(own_network: Network) -> None:
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        await grant(chain, deployer, {FOUNDER.address: Wei(100 * TOKEN)})
        await hand_over(chain, deployer, 30)
        arguments = OWNED | {
            "DaoToken": {
                "transferFrom": (own_network.deployment.timelock, DEPLOYER.address, 1),
                "burnFrom": (own_network.deployment.timelock, 1),
            }
        }
        for contract, functions in arguments.items():
            for name, values in functions.items():
                data = load(contract).functions[name].encode(*values)
                target = getattr(own_network.deployment, FIELDS[contract])
                with pytest.raises(Reverted):
                    await deployer.send(Call(target, data, name))
        at = chain.head()
        assert await Timelock(chain).min_delay(at) == 30
        assert [fault async for fault in find_faults(chain, at)] == []


def test_owned__every_function_with_an_owner__is_tried() -> None:
    for contract in ("TrainingCoordinator", "SupernodeRegistry", "Disputes"):
        sources = [SOURCES / f"{contract}.sol"]
        if contract == "TrainingCoordinator":
            sources += (SOURCES / "coordinator").glob("*.sol")
        text = "".join(path.read_text() for path in sources)
        found = {
            part.split("(")[0].strip()
            for part in text.split("function ")[1:]
            if "onlyOwner" in part.split("{")[0]
        }
        assert found
        assert found <= set(OWNED[contract])


async def test_hand_over__repeated__the_same(own_network: Network) -> None:
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        await hand_over(chain, deployer)
        await hand_over(chain, deployer)


async def test_hand_over__an_operation_left_behind__said(own_network: Network) -> None:
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        timelock = Timelock(chain)
        trap = timelock.grant_role(PROPOSER_ROLE, DEPLOYER.address)
        await deployer.send(timelock.schedule([trap], Digest(bytes(32)), 5))
        with pytest.raises(ChainError, match="scheduled without a vote"):
            await hand_over(chain, deployer)


async def test_faults__before_the_hand_over_and_after_theft__each_named(own_network: Network) -> None:
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        before = [fault async for fault in find_faults(chain, chain.head())]
        deployer_hex, governor = DEPLOYER.address.hex(), own_network.deployment.governor.hex()
        for role in ("proposer", "executor", "canceller"):
            assert any(f"{deployer_hex} is {role} of the timelock" in fault for fault in before)
        assert any(f"{governor} is not proposer" in fault for fault in before)
        owner = load("SupernodeRegistry").functions["transferOwnership"].encode(DEPLOYER.address)
        stolen = [
            Call(own_network.deployment.registry, owner, "transferOwnership"),
            Timelock(chain).grant_role(ADMIN_ROLE, DEPLOYER.address),
            Token(chain).delegate(DEPLOYER.address),
        ]
        await timelock_execute(chain, deployer, stolen)
        after = "\n".join([fault async for fault in find_faults(chain, chain.head())])
        assert "the registry's owner" in after
        assert f"{deployer_hex} is admin of the timelock" in after
        assert "the treasury's delegate" in after
        assert await Registry(chain).owner(chain.head()) == DEPLOYER.address
        assert await Coordinator(chain).owner(chain.head()) == own_network.deployment.timelock
        assert await Governor(chain).timelock(chain.head()) == own_network.deployment.timelock


async def test_faults__someone_may_slash_or_take_the_treasury__said(own_network: Network) -> None:
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        left = [
            Registry(chain).set_slasher(DEPLOYER.address, allowed=True),
            Token(chain).approve(DEPLOYER.address, Wei(2**255)),
        ]
        await timelock_execute(chain, deployer, left)
        who = DEPLOYER.address.hex()
        with pytest.raises(
            ChainError, match=f"{who} may take anyone's stake; 0x{who} may take tokens of the"
        ):
            await hand_over(chain, deployer)


async def test_faults__another_court_or_another_prover__said(own_network: Network) -> None:
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        deployment, disputes = own_network.deployment, Disputes(chain)
        prover = deployment.provers["SumProver"]
        calls = [
            Coordinator(chain).set_disputes(DEPLOYER.address),
            Registry(chain).set_slasher(deployment.disputes, allowed=False),
            Registry(chain).set_slasher(deployment.gradient_vote, allowed=False),
            disputes.set_prover(deployment.gradient_vote, allowed=False),
            disputes.set_prover(prover, allowed=False),
            disputes.set_prover(ANYONE, allowed=True),
        ]
        await timelock_execute(chain, deployer, calls)
        with pytest.raises(ChainError) as caught:
            await hand_over(chain, deployer)
        for fault in (
            f"the coordinator's disputes is {hex_of(DEPLOYER.address)}, expected {hex_of(deployment.disputes)}",
            f"{hex_of(deployment.disputes)}: it should be one that may take anyone's stake, and is none",
            f"{hex_of(deployment.gradient_vote)}: it should be one that may take anyone's stake, and is none",
            f"{hex_of(deployment.gradient_vote)}: it should be one that may prove results wrong, and is none",
            f"{hex_of(prover)}: it should be one that may prove results wrong, and is none",
            f"{hex_of(ANYONE)} may prove results wrong",
        ):
            assert fault in str(caught.value)


async def test_faults__taken_back_before_the_hand_over__none(own_network: Network) -> None:
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        for allowed, wei in ((True, Wei(1)), (False, Wei(0))):
            calls = [
                Registry(chain).set_slasher(DEPLOYER.address, allowed=allowed),
                Disputes(chain).set_prover(DEPLOYER.address, allowed=allowed),
                Token(chain).approve(DEPLOYER.address, wei),
            ]
            await timelock_execute(chain, deployer, calls)
        await hand_over(chain, deployer)
        assert [fault async for fault in find_faults(chain, chain.head())] == []


async def pass_time(network: Network, chain: Chain, seconds: int) -> None:
    network.anvil.request("evm_increaseTime", seconds)
    network.anvil.request("evm_mine")
    await chain.reach(BlockNumber(int(await chain.request("eth_blockNumber"), 16)), limit=30)


async def test_faults__cancelled_after_its_vote_and_scheduled_again__is_without_a_vote(
    own_network: Network,
) -> None:
    """The operation has the id of one that was voted on: members think that it was cancelled."""
    actions, text = Actions.of([Call(ANYONE, b"", "nothing")]), "# Nothing"
    governor_only = "scheduled without a vote"
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        timelock, governor, token = Timelock(chain), Governor(chain), Token(chain)
        await timelock_execute(
            chain, deployer, [timelock.grant_role(PROPOSER_ROLE, own_network.deployment.governor)]
        )
        await grant(chain, deployer, {FOUNDER.address: Wei(100 * TOKEN)})
        async with own_network.sender(chain, FOUNDER) as founder:
            await founder.send(token.delegate(FOUNDER.address))
            await pass_time(own_network, chain, 1)
            await founder.send(governor.propose(actions, text))
            await pass_time(own_network, chain, await governor.voting_delay(chain.head()) + 1)
            await founder.send(governor.vote(compute_proposal_id(actions, text), Support.FOR))
            await pass_time(own_network, chain, await governor.voting_period(chain.head()) + 1)
            await founder.send(governor.queue(actions, text))
        assert not [fault async for fault in find_faults(chain, chain.head()) if governor_only in fault]

        cancel = load("TimelockController").functions["cancel"].encode(timelock.operation_of(actions, text))
        await deployer.send(Call(own_network.deployment.timelock, cancel, "cancel"))
        salt = int.from_bytes(own_network.deployment.governor.ljust(32, b"\0"), "big")
        salt ^= int.from_bytes(keccak256(text.encode()), "big")
        await deployer.send(
            timelock.schedule([Call(ANYONE, b"", "nothing")], Digest(salt.to_bytes(32, "big")), 0)
        )
        assert await timelock.is_pending(timelock.operation_of(actions, text), chain.head())
        assert len([fault async for fault in find_faults(chain, chain.head()) if governor_only in fault]) == 1


async def test_past__of_an_owner__no_others_are_read(
    own_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with own_network.chain() as chain, own_network.dao(chain) as deployer:
        treasury, token = own_network.deployment.timelock, Token(chain)
        await deployer.send(token.approve(ANYONE, Wei(1)))
        await timelock_execute(chain, deployer, [token.approve(ANYONE, Wei(2))])
        # and that of the disputes, for the escrow
        assert len(await chain.past(Approval)) == 3
        read: list[Any] = []
        logs = chain.logs

        async def noted(*args: Any) -> list[Any]:
            read.extend(found := await logs(*args))
            return found

        monkeypatch.setattr(chain, "logs", noted)
        (approval,) = await chain.past(Approval, owner=treasury)
        assert (approval.owner, approval.value, len(read)) == (treasury, 2, 1)
        said = [fault async for fault in find_faults(chain, chain.head())]
        assert any("may take tokens of the treasury" in fault for fault in said)
        topic = hex_of(get_topic(Approval))
        assert len([log for log in read if log["topics"][0] == topic]) == 2
