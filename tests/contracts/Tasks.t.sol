// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { Pausable } from "@openzeppelin/contracts/utils/Pausable.sol";

import { IChallenges } from "../../contracts/interfaces/IChallenges.sol";
import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Base } from "./Base.sol";

contract TasksTest is Base {
    function bad(ITasks.TaskRules memory r, string memory what) internal {
        refuses(
            DAO,
            abi.encodeCall(ITasks.createTask, (r, 0)),
            abi.encodeWithSelector(ITasks.BadRules.selector, what)
        );
    }

    // Create

    function test_create_task__good__numbers_funds_and_keeps_its_rules() public {
        ITasks.TaskRules memory r = rules();
        vm.expectEmit();
        emit ITasks.TaskCreated(2, r.appHash, r);
        eq(create(r, 5), 2);
        eq(coordinator.taskCount(), 2);
        eq(distributor.fundedOf(2), 5);
        eq(keccak256(abi.encode(coordinator.rulesOf(2))), keccak256(abi.encode(r)));
        ITasks.Task memory t = coordinator.taskOf(2);
        check(t.active == 0 && t.lastRound == 0 && t.head == 0 && t.inFlight == 0 && !t.closed);
        eq(create(r, 0), 3);
        eq(distributor.fundedOf(3), 0);
    }

    function test_create_task__each_rule__named_when_broken() public {
        ITasks.TaskRules memory r = rules();
        r.superlink = address(0);
        bad(r, "superlink");
        r = rules();
        r.commitPeriod = 0;
        bad(r, "commitPeriod");
        r = rules();
        r.revealPeriod = 0;
        bad(r, "revealPeriod");
        r = rules();
        r.resultPeriod = 0;
        bad(r, "resultPeriod");
        r = rules();
        r.challengePeriod = 0;
        bad(r, "challengePeriod");
        r = rules();
        r.resolvePeriod = 0;
        bad(r, "resolvePeriod");
        r = rules();
        r.quorum = 0;
        bad(r, "quorum");
        r.quorum = 1_048_577;
        bad(r, "quorum");
        r.quorum = 1_048_576;
        create(r, 0);
        r = rules();
        r.shards = 0;
        bad(r, "shards");
        r.shards = 65537;
        bad(r, "shards");
        r.shards = 65536;
        create(r, 0);
        r = rules();
        r.bodyDepth = 0;
        bad(r, "bodyDepth");
        r.bodyDepth = 25;
        bad(r, "bodyDepth");
        r.bodyDepth = 24;
        create(r, 0);
        r = rules();
        r.codec = 3;
        bad(r, "codec");
        r.codec = 1;
        create(r, 0);
        // of values that are only carried, topk knows nothing
        r = rules();
        (r.codec, r.chunks, r.scoredChunks) = (2, 2, 1);
        bad(r, "scoredChunks");
        r.scoredChunks = 2;
        create(r, 0);
    }

    function test_create_task__closing_by_a_share__named_when_broken() public {
        ITasks.TaskRules memory r = rules();
        r.closeAfter = 0;
        bad(r, "closeAfter");
        r.closeAfter = r.commitPeriod + 1;
        bad(r, "closeAfter");
        r.closeAfter = r.commitPeriod;
        r.closeShare = 0;
        bad(r, "closeShare");
        r.closeShare = 101;
        bad(r, "closeShare");
        r.closeShare = 1;
        r.maxInFlight = 0;
        bad(r, "maxInFlight");
        r.maxInFlight = 1025;
        bad(r, "maxInFlight");
        r.maxInFlight = 1024;
        create(r, 0);
    }

    function test_create_task__each_amount_and_digest__named_when_broken() public {
        ITasks.TaskRules memory r = rules();
        r.minStake = 0;
        bad(r, "minStake");
        r.minStake = uint128(MINIMUM - 1);
        bad(r, "minStake");
        r.minStake = uint128(MINIMUM);
        create(r, 0);
        r = rules();
        r.maxStake = r.minStake - 1;
        bad(r, "maxStake");
        r.maxStake = r.minStake;
        create(r, 0);
        r = rules();
        r.roundBudget = 0;
        bad(r, "roundBudget");
        r = rules();
        r.challengeBond = 0;
        bad(r, "challengeBond");
        r.challengeBond = 1;
        create(r, 0);
        r = rules();
        r.appHash = 0;
        bad(r, "appHash");
        r = rules();
        r.baseModel = 0;
        bad(r, "baseModel");
        r = rules();
        r.validationRoot = 0;
        bad(r, "validationRoot");
        r = rules();
        r.chunks = 0;
        bad(r, "chunks");
        r = rules();
        r.bodyDepth = 16;
        r.chunks = 1 << 16;
        r.scoredChunks = 1;
        create(r, 0);
        r.chunks = (1 << 16) + 1;
        bad(r, "chunks");
        r = rules();
        r.scoredChunks = 0;
        bad(r, "scoredChunks");
        r.scoredChunks = r.chunks + 1;
        bad(r, "scoredChunks");
        r.scoredChunks = r.chunks;
        create(r, 0);
        r = rules();
        r.card = 0;
        bad(r, "card");
        r = rules();
        r.baseModelRoot = 0;
        bad(r, "baseModelRoot");
    }

    function test_create_task__stake_leaves_before_a_decision__refused() public {
        ITasks.TaskRules memory r = rules();
        r.challengePeriod = uint32(UNBONDING) - COMMIT - REVEAL - 2 * RESULT - RESOLVE;
        bad(r, "unbondingPeriod");
        r.challengePeriod -= 1;
        create(r, 0);
        // no sum of periods overflows
        r.commitPeriod = r.revealPeriod = r.resultPeriod = r.challengePeriod = type(uint32).max;
        r.resolvePeriod = type(uint32).max;
        bad(r, "unbondingPeriod");
    }

    // Close

    function test_close_task__nothing_in_flight__refunds_what_is_not_promised() public {
        finalized();
        vm.expectEmit();
        emit ITasks.TaskClosed(task, 990 ether);
        vm.prank(DAO);
        coordinator.closeTask(task, ANYONE);
        check(coordinator.taskOf(task).closed);
        eq(token.balanceOf(ANYONE), 990 ether);
        bytes memory closed = abi.encodeWithSelector(ITasks.TaskIsClosed.selector, task);
        refuses(DAO, abi.encodeCall(ITasks.closeTask, (task, DAO)), closed);
        refuses(DAO, abi.encodeCall(ITasks.setSuperlink, (task, ANYONE)), closed);
        refuses(DAO, abi.encodeCall(ITasks.changeRules, (task, rules())), closed);
        refuses(ANYONE, abi.encodeCall(IRounds.openRound, (task)), closed);
        refuses(owner(0), abi.encodeCall(IMembers.join, (task, node(0))), closed);
        vm.prank(owner(0));
        coordinator.leave(task, node(0));
        vm.prank(owner(1));
        registry.unbond(node(1), STAKE);
        coordinator.expire(task, node(1));
        eq(coordinator.taskOf(task).active, 1);
    }

    function test_close_task__in_flight__refused() public {
        open();
        refuses(
            DAO,
            abi.encodeCall(ITasks.closeTask, (task, DAO)),
            abi.encodeWithSelector(ITasks.RoundsInFlight.selector, task, 1)
        );
    }

    // Superlink

    function test_set_superlink__between_rounds__at_once() public {
        finalized();
        vm.expectEmit();
        emit ITasks.SuperlinkReplaced(task, ANYONE);
        vm.prank(DAO);
        coordinator.setSuperlink(task, ANYONE);
        eq(coordinator.rulesOf(task).superlink, ANYONE);
        refuses(
            DAO,
            abi.encodeCall(ITasks.setSuperlink, (task, address(0))),
            abi.encodeWithSelector(ITasks.BadRules.selector, "superlink")
        );
    }

    // Who may

    function test_owner__anyone_else__refused() public {
        bytes memory expected = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ANYONE);
        refuses(ANYONE, abi.encodeCall(ITasks.createTask, (rules(), 0)), expected);
        refuses(ANYONE, abi.encodeCall(ITasks.closeTask, (task, ANYONE)), expected);
        refuses(ANYONE, abi.encodeCall(ITasks.setSuperlink, (task, ANYONE)), expected);
        refuses(ANYONE, abi.encodeCall(ITasks.changeRules, (task, rules())), expected);
        refuses(ANYONE, abi.encodeCall(IMembers.admit, (task, ANYONE, true)), expected);
        refuses(ANYONE, abi.encodeCall(IChallenges.resolve, (task, 1, true)), expected);
        refuses(ANYONE, abi.encodeCall(coordinator.pause, ()), expected);
        refuses(ANYONE, abi.encodeCall(coordinator.unpause, ()), expected);
    }

    function test_unknown_task__any__refused() public {
        bytes memory expected = abi.encodeWithSelector(ITasks.UnknownTask.selector, 9);
        bytes memory wrongRound = abi.encodeWithSelector(
            IRounds.WrongPhase.selector,
            9,
            1,
            IRounds.Phase.None
        );
        refuses(DAO, abi.encodeCall(ITasks.closeTask, (9, DAO)), expected);
        refuses(DAO, abi.encodeCall(ITasks.setSuperlink, (9, DAO)), expected);
        refuses(DAO, abi.encodeCall(ITasks.changeRules, (9, rules())), expected);
        refuses(DAO, abi.encodeCall(IMembers.admit, (9, DAO, true)), expected);
        refuses(DAO, abi.encodeCall(IRounds.openRound, (9)), expected);
        refuses(DAO, abi.encodeCall(ITasks.taskOf, (9)), expected);
        refuses(DAO, abi.encodeCall(ITasks.rulesOf, (9)), expected);
        refuses(DAO, abi.encodeCall(IRounds.rulesOfRound, (9, 1)), wrongRound);
    }

    function test_pause__paused__stops_entries_only() public {
        uint64 round = posted();
        vm.prank(DAO);
        coordinator.pause();
        bytes memory paused = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        refuses(DAO, abi.encodeCall(ITasks.createTask, (rules(), 0)), paused);
        refuses(owner(0), abi.encodeCall(IMembers.join, (task, node(0))), paused);
        refuses(ANYONE, abi.encodeCall(IRounds.openRound, (task)), paused);
        challenge(round);
        resolve(round, true);
        skip(CHALLENGE);
        finalize(round);
        vm.prank(owner(0));
        coordinator.leave(task, node(0));
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
        vm.prank(DAO);
        coordinator.unpause();
        create(rules(), 0);
    }
}
