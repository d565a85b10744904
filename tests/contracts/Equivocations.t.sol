// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDisputes } from "../../contracts/interfaces/IDisputes.sol";
import { IEquivocations } from "../../contracts/interfaces/IEquivocations.sol";
import { Accusing } from "./Accusing.sol";

contract EquivocationsTest is Accusing {
    function signed(
        uint64 round,
        uint256 i,
        bytes32 value
    ) private view returns (IEquivocations.Signed memory) {
        return IEquivocations.Signed(value, signCommit(round, i, value));
    }

    function call(
        uint64 round,
        address node_,
        IEquivocations.Signed memory first,
        IEquivocations.Signed memory second
    ) private view returns (bytes memory) {
        return abi.encodeCall(IEquivocations.convictNode, (task, round, node_, first, second));
    }

    function announceTwo(
        uint64 round,
        address node_,
        IEquivocations.Signed memory first,
        IEquivocations.Signed memory second
    ) private {
        bytes32 proof = keccak256(abi.encode(task, round, node_, first, second));
        announceDigest(keccak256(abi.encode(ACCUSER, proof)));
    }

    function refusesTwo(
        uint64 round,
        address node_,
        IEquivocations.Signed memory first,
        IEquivocations.Signed memory second
    ) private {
        announceTwo(round, node_, first, second);
        no(
            call(round, node_, first, second),
            abi.encodeWithSelector(IEquivocations.NotTwice.selector, task, round, node_)
        );
    }

    function test_convictNode__two_commits__lose_the_minimum_stake_once() public {
        uint64 round = open();
        IEquivocations.Signed memory first = signed(round, 0, keccak256("a"));
        IEquivocations.Signed memory second = signed(round, 0, keccak256("b"));
        announceTwo(round, node(0), first, second);
        uint256 funded = distributor.fundedOf(task);
        vm.expectEmit();
        emit IEquivocations.Equivocated(task, round, node(0), ACCUSER, MINIMUM, BOND);
        vm.prank(ACCUSER);
        disputes.convictNode(task, round, node(0), first, second);
        eq(registry.stakeOf(node(0)), STAKE - MINIMUM);
        eq(token.balanceOf(ACCUSER), BOND);
        eq(distributor.fundedOf(task), funded + MINIMUM / 4);
        no(
            call(round, node(0), first, second),
            abi.encodeWithSelector(IEquivocations.AlreadyEquivocated.selector, task, round, node(0))
        );
    }

    function test_convictNode__not_announced__refused() public {
        uint64 round = open();
        IEquivocations.Signed memory first = signed(round, 0, keccak256("a"));
        IEquivocations.Signed memory second = signed(round, 0, keccak256("b"));
        bytes32 proof = keccak256(abi.encode(task, round, node(0), first, second));
        bytes32 value = keccak256(abi.encode(ACCUSER, proof));
        no(
            call(round, node(0), first, second),
            abi.encodeWithSelector(IDisputes.NotAnnounced.selector, value)
        );
    }

    function test_convictNode__one_commit_or_anothers__refused() public {
        uint64 round = open();
        IEquivocations.Signed memory first = signed(round, 0, keccak256("a"));
        refusesTwo(round, node(0), first, first);
        refusesTwo(round, node(0), first, signed(round, 1, keccak256("b")));
        refusesTwo(round, node(0), signed(round, 1, keccak256("b")), first);
        refusesTwo(round, node(0), first, IEquivocations.Signed(keccak256("b"), "short"));
    }

    /// @dev A round that a reorg opened anew has another opening: to sign anew for it is not to sign twice.
    function test_convictNode__commits_to_two_openings__refused() public {
        uint64 round = open();
        IEquivocations.Signed memory first = signed(round, 0, keccak256("a"));
        close(round);
        post(round);
        uint64 next = open();
        refusesTwo(next, node(0), first, signed(next, 0, keccak256("b")));
    }

    function test_convictNode__no_member_of_the_round__refused() public {
        uint64 round = open();
        registerKey(key(7), STAKE);
        refusesTwo(round, node(7), signed(round, 7, keccak256("a")), signed(round, 7, keccak256("b")));
    }

    /// @dev Stake answers for what was signed for as long as it is there, whatever becomes of the task.
    function test_convictNode__task_is_closed__loses_as_much_and_the_escrows_part_is_burned() public {
        uint64 round = open();
        IEquivocations.Signed memory first = signed(round, 0, keccak256("a"));
        IEquivocations.Signed memory second = signed(round, 0, keccak256("b"));
        close(round);
        post(round);
        skip(CHALLENGE);
        finalize(round);
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
        announceTwo(round, node(0), first, second);
        (uint256 supply, uint256 funded) = (token.totalSupply(), distributor.fundedOf(task));
        vm.prank(ACCUSER);
        disputes.convictNode(task, round, node(0), first, second);
        eq(registry.stakeOf(node(0)), STAKE - MINIMUM);
        eq(token.balanceOf(ACCUSER), BOND);
        eq(token.totalSupply(), supply - (MINIMUM - BOND));
        eq(distributor.fundedOf(task), funded);
    }

    function test_convictNode__stake_is_gone__says_so_and_takes_nothing() public {
        uint64 round = open();
        vm.prank(owner(0));
        registry.unbond(node(0), STAKE);
        skip(UNBONDING);
        registry.withdraw(node(0));
        IEquivocations.Signed memory first = signed(round, 0, keccak256("a"));
        IEquivocations.Signed memory second = signed(round, 0, keccak256("b"));
        announceTwo(round, node(0), first, second);
        vm.prank(ACCUSER);
        disputes.convictNode(task, round, node(0), first, second);
        eq(token.balanceOf(ACCUSER), 0);
    }
}
