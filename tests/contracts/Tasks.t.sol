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

    function admittedTask() internal returns (uint64) {
        ITasks.TaskRules memory r = rules();
        r.admittedOnly = true;
        return create(r, 0);
    }

    function admit(uint64 t, address account, bool admitted) internal {
        vm.prank(DAO);
        coordinator.admit(t, account, admitted);
    }

    function unstake(uint256 i) internal {
        vm.prank(owner(i));
        registry.unbond(node(i), STAKE);
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
        r.codec = 2;
        bad(r, "codec");
        r.codec = 1;
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
        create(r, 0);
        r.chunks = (1 << 16) + 1;
        bad(r, "chunks");
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
        unstake(1);
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

    // Join

    function test_join__registered__joins() public {
        registerKey(key(7), STAKE);
        vm.expectEmit();
        emit IMembers.Joined(task, node(7), owner(7));
        join(7);
        check(coordinator.isJoined(task, node(7)));
        eq(coordinator.taskOf(task).active, 4);
    }

    function test_join__wrong__refused() public {
        refuses(
            ANYONE,
            abi.encodeCall(IMembers.join, (9, node(0))),
            abi.encodeWithSelector(ITasks.UnknownTask.selector, 9)
        );
        refuses(
            node(0),
            abi.encodeCall(IMembers.join, (task, node(0))),
            abi.encodeWithSelector(IMembers.NotOwnerOf.selector, node(0), node(0))
        );
        refuses(
            owner(0),
            abi.encodeCall(IMembers.join, (task, node(0))),
            abi.encodeWithSelector(IMembers.AlreadyJoined.selector, task, owner(0))
        );
        registerKey(key(7), 100 ether - 1);
        refuses(
            owner(7),
            abi.encodeCall(IMembers.join, (task, node(7))),
            abi.encodeWithSelector(IMembers.StakeOutsideRules.selector, 100 ether - 1, 100 ether)
        );
        // a second Supernode of the same owner
        give(owner(0), STAKE);
        bytes memory signature = operatorSignature(owner(0), node(8), key(8));
        vm.prank(owner(0));
        registry.register(node(8), STAKE, signature);
        refuses(
            owner(0),
            abi.encodeCall(IMembers.join, (task, node(8))),
            abi.encodeWithSelector(IMembers.AlreadyJoined.selector, task, owner(0))
        );
        uint64 other = create(rules(), 0);
        vm.prank(owner(0));
        coordinator.join(other, node(8));
    }

    function test_join__admitted_only__needs_admission() public {
        uint64 t = admittedTask();
        bytes memory data = abi.encodeCall(IMembers.join, (t, node(0)));
        refuses(owner(0), data, abi.encodeWithSelector(IMembers.NotAdmitted.selector, t, owner(0)));
        vm.expectEmit();
        emit IMembers.Admitted(t, owner(0), true);
        admit(t, owner(0), true);
        vm.prank(owner(0));
        coordinator.join(t, node(0));
    }

    function test_join__exactly_the_minimum__joins_and_stays() public {
        registerKey(key(7), 100 ether);
        join(7);
        refuses(
            ANYONE,
            abi.encodeCall(IMembers.expire, (task, node(7))),
            abi.encodeWithSelector(IMembers.StillQualified.selector, task, node(7))
        );
    }

    function test_join__superlink_or_another_supernode_of_its_owner__refused() public {
        address host = ownerOf(SUPERLINK_KEY);
        give(host, STAKE);
        bytes memory signature = operatorSignature(host, node(8), key(8));
        vm.prank(host);
        registry.register(node(8), STAKE, signature);
        bytes memory refused = abi.encodeWithSelector(IMembers.IsSuperlink.selector, task, superlink);
        refuses(host, abi.encodeCall(IMembers.join, (task, superlink)), refused);
        refuses(host, abi.encodeCall(IMembers.join, (task, node(8))), refused);
        eq(coordinator.taskOf(task).active, 3);
        // a Superlink that was replaced is a Supernode as others
        vm.prank(DAO);
        coordinator.setSuperlink(task, ANYONE);
        vm.prank(host);
        coordinator.join(task, superlink);
    }

    // Leave and expire

    function test_leave__owner_or_operator__leaves_and_may_come_back() public {
        vm.expectEmit();
        emit IMembers.Left(task, node(0));
        vm.prank(owner(0));
        coordinator.leave(task, node(0));
        check(!coordinator.isJoined(task, node(0)));
        vm.prank(node(1));
        coordinator.leave(task, node(1));
        eq(coordinator.taskOf(task).active, 1);
        join(0);
        eq(coordinator.taskOf(task).active, 2);
    }

    function test_leave__wrong__refused() public {
        refuses(
            ANYONE,
            abi.encodeCall(IMembers.leave, (task, node(0))),
            abi.encodeWithSelector(IMembers.NotOwnerOf.selector, node(0), ANYONE)
        );
        refuses(
            ANYONE,
            abi.encodeCall(IMembers.leave, (task, ANYONE)),
            abi.encodeWithSelector(IMembers.NotJoined.selector, task, ANYONE)
        );
    }

    function test_expire__stake_below_minimum__removed() public {
        refuses(
            ANYONE,
            abi.encodeCall(IMembers.expire, (task, node(0))),
            abi.encodeWithSelector(IMembers.StillQualified.selector, task, node(0))
        );
        unstake(0);
        coordinator.expire(task, node(0));
        check(!coordinator.isJoined(task, node(0)));
        refuses(
            ANYONE,
            abi.encodeCall(IMembers.expire, (task, node(0))),
            abi.encodeWithSelector(IMembers.NotJoined.selector, task, node(0))
        );
    }

    function test_expire__admission_ended__removed() public {
        uint64 t = admittedTask();
        admit(t, owner(0), true);
        vm.prank(owner(0));
        coordinator.join(t, node(0));
        refuses(
            ANYONE,
            abi.encodeCall(IMembers.expire, (t, node(0))),
            abi.encodeWithSelector(IMembers.StillQualified.selector, t, node(0))
        );
        admit(t, owner(0), false);
        coordinator.expire(t, node(0));
        eq(coordinator.taskOf(t).active, 0);
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
