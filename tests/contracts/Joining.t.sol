// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Base } from "./Base.sol";

/// @dev Who may join a task, leave it, or is removed from it.
contract JoiningTest is Base {
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
}
