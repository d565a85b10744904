// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { IGovernor } from "@openzeppelin/contracts/governance/IGovernor.sol";

import { DaoGovernor } from "../../contracts/governance/DaoGovernor.sol";
import { VotingPower } from "../../contracts/governance/VotingPower.sol";
import { IChallenges } from "../../contracts/interfaces/IChallenges.sol";
import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Governed } from "./Governed.sol";

contract GovernanceTest is Governed {
    uint256 private constant HOLDER_KEY = 0x401de;

    // Votes

    function test_votes__wallet_and_stake__added() public {
        address holder = owner(0);
        eq(power.getVotes(holder), STAKE);
        vm.prank(CHALLENGER);
        token.transfer(holder, 50 ether);
        vm.prank(holder);
        token.delegate(holder);
        eq(power.getVotes(holder), STAKE + 50 ether);
        uint256 time = block.timestamp;
        skip(10);
        eq(power.getPastVotes(holder, time), STAKE + 50 ether);
        eq(power.getPastVotes(holder, time - 1), STAKE);
        eq(power.delegates(holder), holder);
        eq(power.clock(), block.timestamp);
        eq(keccak256(bytes(power.CLOCK_MODE())), keccak256("mode=timestamp"));
        eq(keccak256(bytes(governor.CLOCK_MODE())), keccak256("mode=timestamp"));
    }

    function test_votes__treasury_and_escrow__none_and_no_quorum() public view {
        uint256 time = block.timestamp - 1;
        eq(power.getPastTotalSupply(time), OUTSIDE);
        eq(governor.quorum(time), (OUTSIDE * QUORUM) / 100);
        check(token.getVotes(address(timelock)) != 0);
        eq(token.getVotes(address(distributor)), 1000 ether);
        eq(power.getVotes(address(timelock)), 0);
        eq(power.getVotes(address(distributor)), 0);
        eq(power.getPastVotes(address(timelock), time), 0);
        eq(power.getPastVotes(address(distributor), time), 0);
    }

    function test_votes__funds_and_grants__move_the_supply_that_counts() public {
        vm.prank(CHALLENGER);
        token.approve(address(distributor), 100 ether);
        vm.prank(CHALLENGER);
        distributor.fund(task, 100 ether);
        uint256 time = block.timestamp;
        skip(1);
        eq(power.getPastTotalSupply(time), OUTSIDE - 100 ether);
        carry(grantOf(40 ether));
        time = block.timestamp;
        skip(1);
        eq(power.getPastTotalSupply(time), OUTSIDE - 60 ether);
    }

    function test_votes__delegated_at_the_wrong_place__refused() public {
        bytes memory expected = abi.encodeWithSelector(
            VotingPower.DelegateAtTokenAndRegistry.selector,
            address(token),
            address(registry)
        );
        refuses(ANYONE, address(power), abi.encodeCall(power.delegate, (ANYONE)), expected);
        refuses(
            ANYONE,
            address(power),
            abi.encodeCall(power.delegateBySig, (ANYONE, 0, 0, 27, bytes32(0), bytes32(0))),
            expected
        );
    }

    function test_power__one_account_as_treasury_and_escrow__refused() public {
        try this.newPower(ANYONE, ANYONE) {
            check(false);
        } catch (bytes memory reason) {
            eq(
                keccak256(reason),
                keccak256(abi.encodeWithSelector(VotingPower.TreasuryIsEscrow.selector, ANYONE))
            );
        }
    }

    /// @dev Whatever is staked of what is delegated: the delegate's votes stay the same, to the last wei.
    function test_fuzz_staking__any_amount_and_delegate__no_vote_moves(uint256 amount, address to) public {
        amount = MINIMUM + (amount % (1000 ether - MINIMUM));
        if (to == address(0) || to == address(timelock) || to == address(distributor)) to = ANYONE;
        vm.prank(CHALLENGER);
        token.delegate(to);
        vm.prank(CHALLENGER);
        token.approve(address(registry), amount);
        uint256 before = power.getVotes(to);
        address operator = vm.addr(0x0bee);
        bytes memory signature = operatorSignature(CHALLENGER, operator, 0x0bee);
        vm.prank(CHALLENGER);
        registry.register(operator, amount, signature);
        eq(power.getVotes(to), before);
        eq(registry.delegates(CHALLENGER), to);
        skip(1);
        eq(power.getPastTotalSupply(block.timestamp - 1), OUTSIDE);
        vm.prank(CHALLENGER);
        registry.unbond(operator, amount);
        eq(power.getVotes(to), before);
        skip(UNBONDING);
        registry.withdraw(operator);
        eq(power.getVotes(to), before);
    }

    // What a proposal can do

    function test_life__task_created__funded_by_the_treasury() public {
        carry(
            draft(
                address(token),
                abi.encodeCall(token.approve, (address(distributor), 70 ether)),
                address(coordinator),
                abi.encodeCall(ITasks.createTask, (rules(), 70 ether))
            )
        );
        eq(coordinator.taskCount(), 2);
        eq(distributor.fundedOf(2), 70 ether);
    }

    function test_life__member_admitted_then_removed__joins_then_leaves() public {
        ITasks.TaskRules memory r = rules();
        r.admittedOnly = true;
        carry(draft(address(coordinator), abi.encodeCall(ITasks.createTask, (r, 0))));
        task = 2;
        vm.prank(owner(0));
        (bool done, ) = address(coordinator).call(abi.encodeCall(IMembers.join, (task, node(0))));
        check(!done);
        carry(draft(address(coordinator), abi.encodeCall(IMembers.admit, (task, owner(0), true))));
        join(0);
        carry(draft(address(coordinator), abi.encodeCall(IMembers.admit, (task, owner(0), false))));
        coordinator.expire(task, node(0));
        check(!coordinator.isJoined(task, node(0)));
    }

    function test_life__superlink_replaced__serves_the_next_round() public {
        carry(draft(address(coordinator), abi.encodeCall(ITasks.setSuperlink, (task, node(2)))));
        eq(coordinator.rulesOf(task).superlink, node(2));
    }

    function test_life__rules_changed__for_the_next_round() public {
        uint64 round = open();
        ITasks.TaskRules memory r = rules();
        r.roundBudget = 12 ether;
        carry(draft(address(coordinator), abi.encodeCall(ITasks.changeRules, (task, r))));
        eq(coordinator.rulesOf(task).roundBudget, 12 ether);
        eq(coordinator.rulesOfRound(task, round).roundBudget, BUDGET);
    }

    function test_life__frozen_result__resolved_in_time() public {
        ITasks.TaskRules memory r = rules();
        // the longest that the stake allows: a decision takes the voting and the timelock's delay
        r.resolvePeriod = uint32(UNBONDING - 1 - COMMIT - REVEAL - 2 * RESULT - CHALLENGE);
        Draft memory d = draft(address(timelock), abi.encodeCall(timelock.updateDelay, (1 days)));
        carry(d);
        d = draft(
            address(token),
            abi.encodeCall(token.approve, (address(distributor), 70 ether)),
            address(coordinator),
            abi.encodeCall(ITasks.createTask, (r, 70 ether))
        );
        carry(d);
        task = 2;
        for (uint256 i = 0; i < NODES; ++i) join(i);
        skip(1);
        uint64 round = posted();
        challenge(round);
        d = draft(address(coordinator), abi.encodeCall(IChallenges.resolve, (task, round, false)));
        uint256 id = propose(d);
        skip(DELAY + 1);
        for (uint256 i = 0; i < NODES; ++i) vote(id, owner(i), 1);
        skip(PERIOD);
        queue(d);
        skip(1 days);
        execute(d);
        eq(phase(round), IRounds.Phase.Void);
        eq(token.balanceOf(CHALLENGER), 1000 ether);
    }

    function test_life__grant__paid() public {
        carry(grantOf(3 ether));
        eq(token.balanceOf(ANYONE), 3 ether);
    }

    function test_life__settings__changed_by_a_proposal_alone() public {
        carry(draft(address(governor), abi.encodeCall(governor.setVotingPeriod, (20 hours))));
        carry(
            draft(
                address(governor),
                abi.encodeCall(governor.updateQuorumNumerator, (10)),
                address(governor),
                abi.encodeCall(governor.setProposalThreshold, (7))
            )
        );
        eq(governor.votingPeriod(), 20 hours);
        eq(governor.quorumNumerator(), 10);
        eq(governor.proposalThreshold(), 7);
        refuses(
            ANYONE,
            address(governor),
            abi.encodeCall(governor.setVotingPeriod, (1)),
            abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, ANYONE)
        );
        refuses(
            DAO,
            abi.encodeWithSignature("pause()"),
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, DAO)
        );
    }

    // What a vote needs

    function test_vote__not_enough_or_more_against__defeated() public {
        uint256 id = propose(grantOf(1));
        skip(DELAY + 1);
        vote(id, owner(0), 1);
        vote(id, owner(1), 1); // 400 of 520
        skip(PERIOD);
        at(id, IGovernor.ProposalState.Defeated);
        Draft memory d = grantOf(2);
        id = propose(d);
        skip(DELAY + 1);
        vote(id, owner(0), 1);
        vote(id, ownerOf(SUPERLINK_KEY), 0);
        skip(PERIOD);
        at(id, IGovernor.ProposalState.Defeated);
    }

    function test_vote__late_quorum__extended() public {
        uint256 id = propose(grantOf(1));
        uint256 end = governor.proposalDeadline(id);
        skip(DELAY + 1);
        vote(id, owner(0), 2);
        vote(id, owner(1), 1);
        vm.warp(end - 10);
        vote(id, owner(2), 1);
        eq(governor.proposalDeadline(id), end - 10 + EXTENSION);
        vm.warp(end + 1);
        vote(id, ownerOf(SUPERLINK_KEY), 0);
        vm.warp(end + EXTENSION);
        at(id, IGovernor.ProposalState.Defeated);
    }

    function test_vote__after_the_snapshot__what_moved_does_not_count_twice() public {
        vm.prank(CHALLENGER);
        token.delegate(CHALLENGER);
        uint256 id = propose(grantOf(1));
        skip(DELAY + 1);
        vote(id, CHALLENGER, 1);
        vm.prank(CHALLENGER);
        token.transfer(ANYONE, 1000 ether);
        vm.prank(ANYONE);
        token.delegate(ANYONE);
        skip(1);
        vote(id, ANYONE, 1);
        (, uint256 forVotes, ) = governor.proposalVotes(id);
        eq(forVotes, 1000 ether);
    }

    function test_cancel__by_the_proposer_before_voting__gone() public {
        Draft memory d = grantOf(1);
        uint256 id = propose(d);
        vm.prank(owner(0));
        governor.cancel(d.targets, d.values, d.calldatas, keccak256(bytes(d.description)));
        at(id, IGovernor.ProposalState.Canceled);
        check(governor.proposalNeedsQueuing(id));
    }

    // Without gas

    function test_signed__proposal_and_votes__anyone_sends() public {
        Draft memory d = grantOf(9);
        address holder = holderWithVotes(300 ether);
        uint256 deadline = block.timestamp + 60;
        bytes memory signature = signPropose(HOLDER_KEY, holder, d, 0, deadline);
        vm.prank(ANYONE);
        uint256 id = governor.proposeBySig(
            holder,
            d.targets,
            d.values,
            d.calldatas,
            d.description,
            deadline,
            signature
        );
        eq(governor.proposalProposer(id), holder);
        skip(DELAY + 1);
        bytes32 ballot = keccak256("Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)");
        signature = signGovernor(HOLDER_KEY, keccak256(abi.encode(ballot, id, 1, holder, 1)));
        vm.prank(ANYONE);
        governor.castVoteBySig(id, 1, holder, signature);
        (, uint256 forVotes, ) = governor.proposalVotes(id);
        eq(forVotes, 300 ether);
    }

    function test_signed__vote_with_a_reason__counted() public {
        address holder = holderWithVotes(300 ether);
        uint256 id = propose(grantOf(9));
        skip(DELAY + 1);
        bytes32 typehash = keccak256(
            "ExtendedBallot(uint256 proposalId,uint8 support,address voter,uint256 nonce,string reason,bytes params)"
        );
        bytes32 structHash = keccak256(
            abi.encode(typehash, id, 0, holder, 0, keccak256("too much"), keccak256(""))
        );
        bytes memory signature = signGovernor(HOLDER_KEY, structHash);
        governor.castVoteWithReasonAndParamsBySig(id, 0, holder, "too much", "", signature);
        (uint256 against, , ) = governor.proposalVotes(id);
        eq(against, 300 ether);
    }

    function test_signed__expired_forged_or_replayed__refused() public {
        Draft memory d = grantOf(9);
        address holder = holderWithVotes(300 ether);
        uint256 deadline = block.timestamp;
        bytes memory signature = signPropose(HOLDER_KEY, holder, d, 0, deadline);
        bytes memory forged = abi.encodeWithSelector(IGovernor.GovernorInvalidSignature.selector, holder);
        bytes memory other = signPropose(key(0), holder, d, 0, deadline);
        refusesSigned(holder, d, deadline, other, forged);
        refusesSigned(holder, d, deadline + 1, signature, forged);
        refusesSigned(holder, grantOf(10), deadline, signature, forged);
        skip(1);
        bytes memory expired = abi.encodeWithSelector(
            DaoGovernor.ProposalSignatureExpired.selector,
            deadline
        );
        refusesSigned(holder, d, deadline, signature, expired);
        deadline = block.timestamp;
        signature = signPropose(HOLDER_KEY, holder, d, 0, deadline);
        (bool done, ) = address(governor).call(signedCall(holder, d, deadline, signature));
        check(done);
        refusesSigned(holder, d, deadline, signature, forged);
    }

    function test_signed__without_the_votes_or_for_another__refused() public {
        Draft memory d = grantOf(9);
        address holder = holderWithVotes(THRESHOLD - 1);
        uint256 deadline = block.timestamp;
        bytes memory signature = signPropose(HOLDER_KEY, holder, d, 0, deadline);
        bytes memory expected = abi.encodeWithSelector(
            IGovernor.GovernorInsufficientProposerVotes.selector,
            holder,
            THRESHOLD - 1,
            THRESHOLD
        );
        refusesSigned(holder, d, deadline, signature, expected);
        d.description = "Mine#proposer=0x0000000000000000000000000000000000000a11";
        signature = signPropose(HOLDER_KEY, holder, d, 0, deadline);
        expected = abi.encodeWithSelector(IGovernor.GovernorRestrictedProposer.selector, holder);
        refusesSigned(holder, d, deadline, signature, expected);
    }

    function holderWithVotes(uint256 amount) private returns (address holder) {
        holder = vm.addr(HOLDER_KEY);
        vm.prank(CHALLENGER);
        token.transfer(holder, amount);
        vm.prank(holder);
        token.delegate(holder);
        skip(1);
    }

    function signedCall(
        address proposer,
        Draft memory d,
        uint256 deadline,
        bytes memory signature
    ) private view returns (bytes memory) {
        return
            abi.encodeCall(
                governor.proposeBySig,
                (proposer, d.targets, d.values, d.calldatas, d.description, deadline, signature)
            );
    }

    function refusesSigned(
        address proposer,
        Draft memory d,
        uint256 deadline,
        bytes memory signature,
        bytes memory expected
    ) private {
        refuses(ANYONE, address(governor), signedCall(proposer, d, deadline, signature), expected);
    }
}
