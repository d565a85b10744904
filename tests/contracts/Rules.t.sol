// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev Rules change for the rounds to come; those that are open or undecided keep their own.
contract RulesTest is RoundCalls {
    function changeBudget(uint128 budget) internal {
        ITasks.TaskRules memory r = coordinator.rulesOf(task);
        r.roundBudget = budget;
        change(r);
    }

    function bad(ITasks.TaskRules memory r, string memory what) internal {
        bytes memory data = abi.encodeCall(ITasks.changeRules, (task, r));
        refuses(DAO, data, abi.encodeWithSelector(ITasks.BadRules.selector, what));
    }

    function same(ITasks.TaskRules memory a, ITasks.TaskRules memory b) internal pure {
        eq(keccak256(abi.encode(a)), keccak256(abi.encode(b)));
    }

    /// @dev Everything that may change, to something else.
    function others() internal view returns (ITasks.TaskRules memory r) {
        r = rules();
        r.commitPeriod = COMMIT / 2;
        r.revealPeriod = REVEAL / 2;
        r.resultPeriod = RESULT / 2;
        r.challengePeriod = CHALLENGE / 2;
        r.resolvePeriod = RESOLVE / 2;
        r.quorum = 3;
        r.minStake = uint128(STAKE + 1);
        r.maxStake = uint128(STAKE + 2);
        r.roundBudget = BUDGET / 2;
        r.superlinkBond = 900 ether;
        r.challengeBond = BOND / 2;
    }

    function pays(uint64 round, uint128 total) internal view returns (IRounds.Result memory r) {
        r = result(round);
        r.rewardTotal = total;
    }

    // Change

    function test_change_rules__all_that_may__a_version_for_later_rounds() public {
        uint64 round = open();
        ITasks.TaskRules memory r = others();
        vm.expectEmit();
        emit ITasks.RulesChanged(task, 2, r);
        change(r);
        same(coordinator.rulesOf(task), r);
        same(coordinator.rulesOfRound(task, round), rules());
        r.minStake = rules().minStake;
        vm.expectEmit();
        emit ITasks.RulesChanged(task, 3, r);
        change(r);
        close(round);
        post(round);
        round = open();
        same(coordinator.rulesOfRound(task, 1), rules());
        same(coordinator.rulesOfRound(task, round), r);
    }

    function test_rules_of_round__no_such_round__refused() public {
        refuses(ANYONE, abi.encodeCall(IRounds.rulesOfRound, (task, 1)), wrongPhase(1, IRounds.Phase.None));
    }

    function test_change_rules__what_must_stay__named() public {
        ITasks.TaskRules memory r = rules();
        r.superlink = ANYONE;
        bad(r, "superlink");
        r = rules();
        r.shards += 1;
        bad(r, "shards");
        r = rules();
        r.bodyDepth += 1;
        bad(r, "bodyDepth");
        r = rules();
        r.codec = 1;
        bad(r, "codec");
        r = rules();
        r.admittedOnly = true;
        bad(r, "admittedOnly");
        r = rules();
        r.appHash = keccak256("another app");
        bad(r, "appHash");
        r = rules();
        r.baseModel = keccak256("another model");
        bad(r, "baseModel");
        r = rules();
        r.validationRoot = keccak256("other shards");
        bad(r, "validationRoot");
        r = rules();
        r.chunks = 99_999;
        bad(r, "chunks");
        r = rules();
        r.scoredChunks = 89_999;
        bad(r, "scoredChunks");
        r = rules();
        r.baseModelRoot = keccak256("other values");
        bad(r, "baseModelRoot");
    }

    function test_change_rules__broken__refused_as_for_a_new_task() public {
        ITasks.TaskRules memory r = rules();
        r.roundBudget = 0;
        bad(r, "roundBudget");
        r = rules();
        r.challengeBond = 0;
        bad(r, "challengeBond");
        r = rules();
        r.resolvePeriod = uint32(UNBONDING);
        bad(r, "unbondingPeriod");
    }

    // A round keeps its rules

    function test_open_round__rules_changed__keeps_its_windows() public {
        open();
        change(others());
        refuses(superlink, closeCall(1, 2), tooEarly(block.timestamp + COMMIT));
        skip(COMMIT - 1);
        force(1, 0); // with less stake than the next round asks for
        skip(1);
        close(1, 1); // fewer than the next round's quorum
        uint256 closed = block.timestamp;
        IRounds.Result memory r = pays(1, BUDGET);
        (r.revealed, r.inputs) = (1, 1);
        vm.warp(closed + REVEAL - 1);
        refuses(superlink, postCall(1, r), abi.encodeWithSelector(IRounds.RevealsMissing.selector, 1, 2));
        vm.warp(closed + REVEAL + RESULT);
        refuses(ANYONE, abortCall(1), tooEarly(closed + REVEAL + RESULT + 1));
        post(1, r);
        vm.warp(block.timestamp + CHALLENGE - 1);
        refuses(ANYONE, abi.encodeCall(IRounds.finalize, (task, 1, r)), tooEarly(block.timestamp + 1));
        skip(1);
        coordinator.finalize(task, 1, r);
        eq(phase(1), IRounds.Phase.Finalized);
        eq(distributor.totalOf(task), BUDGET);
    }

    function test_open_round__rules_changed__aborted_by_its_own_deadlines() public {
        open();
        change(others());
        vm.warp(block.timestamp + COMMIT + RESULT - 1);
        refuses(ANYONE, abortCall(1), tooEarly(block.timestamp + 1));
        skip(1);
        coordinator.abort(task, 1);
    }

    function test_posted_round__rules_changed__keeps_challenge_and_bond() public {
        uint64 round = posted();
        change(others());
        vm.warp(block.timestamp + CHALLENGE - 1);
        challenge(round);
        eq(token.balanceOf(address(coordinator)), BOND);
        vm.warp(block.timestamp + RESOLVE - 1);
        resolve(round, true);
        eq(token.balanceOf(address(coordinator)), 0);
        challenge(round);
        vm.warp(block.timestamp + RESOLVE - 1);
        refuses(ANYONE, voidCall(round), tooEarly(block.timestamp + 1));
        skip(1);
        coordinator.voidRound(task, round);
        eq(token.balanceOf(address(coordinator)), 0);
    }

    function test_next_round__rules_changed__has_the_new_windows_and_bond() public {
        ITasks.TaskRules memory r = others();
        r.minStake = rules().minStake;
        change(r);
        open();
        uint256 commitEnd = block.timestamp + COMMIT / 2;
        vm.warp(commitEnd);
        refuses(ANYONE, commitCall(1, 0), tooLate(commitEnd));
        refuses(superlink, closeCall(1, 2), quorumMissed(2, 3));
        close(1);
        post(1, pays(1, BUDGET / 2));
        challenge(1);
        eq(token.balanceOf(address(coordinator)), BOND / 2);
        resolve(1, true);
        skip(CHALLENGE / 2);
        coordinator.finalize(task, 1, pays(1, BUDGET / 2));
        eq(phase(1), IRounds.Phase.Finalized);
    }

    function test_next_round__superlink_without_the_new_bond__refused() public {
        ITasks.TaskRules memory r = rules();
        r.superlinkBond = 1001 ether;
        change(r);
        refuses(
            ANYONE,
            abi.encodeCall(IRounds.openRound, (task)),
            abi.encodeWithSelector(IRounds.BondTooSmall.selector, 1000 ether, 1001 ether)
        );
    }

    function test_next_round__quorum_raised__refused_without_it() public {
        ITasks.TaskRules memory r = rules();
        r.quorum = 4;
        change(r);
        refuses(ANYONE, abi.encodeCall(IRounds.openRound, (task)), quorumMissed(3, 4));
    }

    // Stake

    function test_minimum_raised__round_in_flight__member_stays_until_it_is_decided() public {
        ITasks.TaskRules memory r = rules();
        r.minStake = uint128(STAKE + 1);
        uint64 round = posted();
        change(r);
        bytes memory expire = abi.encodeCall(IMembers.expire, (task, node(0)));
        refuses(ANYONE, expire, abi.encodeWithSelector(IMembers.StillQualified.selector, task, node(0)));
        skip(CHALLENGE);
        finalize(round);
        coordinator.expire(task, node(0));
        check(!coordinator.isJoined(task, node(0)));
        registerKey(key(7), STAKE);
        refuses(
            owner(7),
            abi.encodeCall(IMembers.join, (task, node(7))),
            abi.encodeWithSelector(IMembers.StakeOutsideRules.selector, STAKE, STAKE + 1)
        );
    }

    function test_minimum_lowered__newcomer__joins_for_the_next_round() public {
        ITasks.TaskRules memory r = rules();
        open();
        registerKey(key(7), MINIMUM);
        r.minStake = uint128(MINIMUM);
        change(r);
        join(7);
        refuses(ANYONE, commitCall(1, 7), notJoined(7));
        // the round in flight asked for more, the next one does not
        bytes memory expire = abi.encodeCall(IMembers.expire, (task, node(7)));
        refuses(ANYONE, expire, abi.encodeWithSelector(IMembers.StillQualified.selector, task, node(7)));
        close(1);
        post(1);
        skip(1);
        open();
        force(2, 7);
    }

    // Budgets

    function test_budget_raised__rounds_in_flight__need_their_own() public {
        task = create(rules(), 35 ether);
        for (uint256 i = 0; i < NODES; ++i) join(i);
        skip(1);
        posted();
        open();
        skip(COMMIT + RESULT);
        coordinator.abort(task, 2);
        posted();
        changeBudget(16 ether);
        bytes memory data = abi.encodeCall(IRounds.openRound, (task));
        refuses(ANYONE, data, abi.encodeWithSelector(IRounds.NotFunded.selector, task, 35 ether, 36 ether));
        vm.prank(DAO);
        distributor.fund(task, 1 ether);
        open();
        eq(coordinator.taskOf(task).inFlight, 3);
    }

    function test_budget_lowered__rounds_in_flight__keep_theirs() public {
        task = create(rules(), 24 ether);
        for (uint256 i = 0; i < NODES; ++i) join(i);
        skip(1);
        posted();
        changeBudget(5 ether);
        open();
        close(2);
        post(2, pays(2, 15 ether));
        changeBudget(9 ether);
        changeBudget(10 ether);
        bytes memory data = abi.encodeCall(IRounds.openRound, (task));
        refuses(ANYONE, data, abi.encodeWithSelector(IRounds.NotFunded.selector, task, 24 ether, 25 ether));
        changeBudget(9 ether);
        open();
        skip(CHALLENGE);
        finalize(1);
        coordinator.finalize(task, 2, pays(2, 15 ether));
        eq(distributor.totalOf(task), 15 ether);
        coordinator.abort(task, 3);
        // 9 are left, and 9 are needed
        open();
        eq(coordinator.taskOf(task).inFlight, 1);
    }

    function test_budget_lowered__result_pays_the_old_one__void() public {
        changeBudget(5 ether);
        open();
        close(1);
        IRounds.Result memory r = pays(1, 5 ether + 1);
        post(1, r);
        changeBudget(BUDGET);
        skip(CHALLENGE);
        coordinator.finalize(task, 1, r);
        eq(phase(1), IRounds.Phase.Void);
    }

    // Superlink

    function test_set_superlink__round_in_progress__from_the_next_round() public {
        registerKey(0x9999, 1000 ether);
        address next = vm.addr(0x9999);
        open();
        ITasks.TaskRules memory r = rules();
        r.superlink = next;
        vm.expectEmit();
        emit ITasks.SuperlinkReplaced(task, next);
        vm.expectEmit();
        emit ITasks.RulesChanged(task, 2, r);
        vm.prank(DAO);
        coordinator.setSuperlink(task, next);
        same(coordinator.rulesOf(task), r);
        same(coordinator.rulesOfRound(task, 1), rules());
        refuses(
            next,
            closeCall(1, 3),
            abi.encodeWithSelector(IRounds.NotSuperlink.selector, next, superlink)
        );
        close(1);
        refuses(
            next,
            postCall(1, result(1)),
            abi.encodeWithSelector(IRounds.NotSuperlink.selector, next, superlink)
        );
        post(1);
        open();
        (address before, bytes memory call) = (superlink, closeCall(2, 3));
        superlink = next;
        refuses(before, call, abi.encodeWithSelector(IRounds.NotSuperlink.selector, before, next));
        close(2);
        post(2);
    }

    function test_set_superlink__then_other_rules__stays() public {
        vm.prank(DAO);
        coordinator.setSuperlink(task, ANYONE);
        // decided on before: it would bring the old one back
        bad(rules(), "superlink");
        changeBudget(1 ether);
        eq(coordinator.rulesOf(task).superlink, ANYONE);
    }
}
