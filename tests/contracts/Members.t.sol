// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev Who takes part in a round: those who had joined when it opened, and nobody else, whatever happens since.
contract MembersTest is RoundCalls {
    uint256 internal constant ALL = 6; // the last one belongs to the owner of the first

    function leave(uint256 i) internal {
        vm.prank(node(i));
        coordinator.leave(task, node(i));
    }

    function nextBlock() internal {
        vm.roll(block.number + 1);
    }

    function eligible(uint64 round) internal view returns (uint256) {
        return coordinator.roundOf(task, round).eligible;
    }

    // Joining

    function test_join__in_the_block_before_the_round_opens_in_it__takes_part() public {
        registerKey(key(7), STAKE);
        nextBlock();
        join(7);
        open();
        eq(eligible(1), 4);
        force(1, 7);
        close(1, 3);
    }

    function test_join__once_the_round_is_open__takes_part_in_the_next_alone() public {
        registerKey(key(7), STAKE);
        registerKey(key(8), STAKE);
        nextBlock();
        open();
        join(7); // in the block that opens it
        nextBlock();
        join(8);
        eq(eligible(1), 3);
        for (uint256 i = 7; i < 10; ++i) refuses(ANYONE, commitCall(1, i), notJoined(i));
        close(1);
        post(1);
        open();
        eq(eligible(2), 5);
        for (uint256 i = 7; i < 9; ++i) force(2, i);
        refuses(ANYONE, commitCall(2, 9), notJoined(9));
        close(2);
    }

    // Leaving

    function test_leave__in_the_block_that_opens_the_round__still_takes_part_and_closes_early() public {
        open();
        leave(0);
        eq(eligible(1), 3);
        nextBlock();
        force(1, 0);
        close(1, 1, 1);
        eq(phase(1), IRounds.Phase.Closed);
    }

    function test_leave__before_the_round_opens_in_the_same_block__takes_no_part() public {
        leave(0);
        open();
        eq(eligible(1), 2);
        refuses(ANYONE, commitCall(1, 0), notJoined(0));
        close(1, 2);
    }

    function test_leave_or_expire__round_open__takes_part_in_that_round_alone() public {
        registerKey(key(7), STAKE);
        join(7); // so that the next round has its quorum
        open();
        nextBlock();
        vm.prank(owner(0));
        coordinator.leave(task, node(0));
        vm.prank(owner(1));
        registry.unbond(node(1), STAKE);
        vm.prank(superlink);
        coordinator.expire(task, node(1));
        force(1, 0);
        force(1, 1);
        eq(coordinator.forcedCountOf(task, 1), 2);
        close(1, 2); // all four, so before the deadline
        IRounds.Result memory r = result(1);
        r.revealed = 4;
        post(1, r);
        open();
        eq(eligible(2), 2);
        refuses(ANYONE, commitCall(2, 0), notJoined(0));
        refuses(ANYONE, commitCall(2, 1), notJoined(1));
    }

    function test_stake__gone_before_the_round_opens__member_counts_and_may_commit() public {
        vm.prank(owner(0));
        registry.unbond(node(0), STAKE);
        skip(1);
        open();
        eq(eligible(1), 3);
        force(1, 0);
        close(1, 2);
    }

    // Coming back

    function test_leave_and_join__round_open__keeps_the_seat() public {
        open();
        for (uint256 i = 0; i < 3; ++i) {
            leave(0);
            join(0);
            nextBlock();
        }
        leave(1);
        nextBlock();
        join(1);
        leave(1);
        eq(coordinator.taskOf(task).active, 2);
        force(1, 0);
        force(1, 1);
        close(1, 0, 1);
        IRounds.Result memory r = result(1);
        (r.revealed, r.forcedHash) = (2, coordinator.forcedHashOf(task, 1));
        post(1, r);
        open();
        eq(eligible(2), 2);
        force(2, 0);
        refuses(ANYONE, commitCall(2, 1), notJoined(1));
    }

    function test_leave_and_join__a_round_between__takes_no_part_in_that_one() public {
        registerKey(key(7), STAKE);
        posted();
        join(7);
        leave(0);
        open();
        join(0);
        eq(eligible(2), 3);
        refuses(ANYONE, commitCall(2, 0), notJoined(0));
        close(2);
        post(2);
        open();
        eq(eligible(3), 4);
        force(3, 0);
    }

    function test_join__and_leave_before_the_next_round__takes_part_in_none() public {
        registerKey(key(7), STAKE);
        open();
        join(7);
        leave(7);
        join(7);
        leave(7);
        refuses(ANYONE, commitCall(1, 7), notJoined(7));
        close(1);
        post(1);
        open();
        eq(eligible(2), 3);
        refuses(ANYONE, commitCall(2, 7), notJoined(7));
    }

    function test_join__with_another_supernode_of_the_owner__each_has_its_rounds() public {
        registerAnother();
        open();
        leave(0);
        vm.prank(owner(0));
        coordinator.join(task, node(5));
        refuses(ANYONE, commitCall(1, 5), notJoined(5));
        force(1, 0);
        close(1, 2);
        post(1);
        open();
        eq(eligible(2), 3);
        refuses(ANYONE, commitCall(2, 0), notJoined(0));
        force(2, 5);
        close(2, 2);
    }

    /// @dev What a prover asks of a round that has been over for long.
    function test_was_member__left_and_back_since__as_each_round_had_it() public {
        for (uint64 round = 1; round <= 3; ++round) {
            if (round == 2) leave(0);
            if (round == 3) join(0);
            open();
            skip(COMMIT + RESULT);
            coordinator.abort(task, round);
        }
        leave(0);
        bool[5] memory expected = [false, true, false, true, false];
        for (uint64 round = 0; round < 5; ++round) {
            check(coordinator.wasMember(task, node(0), round) == expected[round]);
            check(coordinator.wasMember(task, node(1), round) == (round != 0));
        }
        check(!coordinator.wasMember(task, ANYONE, 1));
        check(!coordinator.wasMember(task + 1, node(1), 1));
    }

    // Fuzz

    /// @dev Whoever joins or leaves, in every block of several rounds: those whose commit a round takes are as many as it
    /// waits for, and once all of them have committed it closes before its deadline.
    function testFuzz_eligible__joins_and_leaves_in_every_block__as_many_as_may_commit(uint256 seed) public {
        ITasks.TaskRules memory r = rules();
        r.quorum = 1;
        vm.prank(DAO);
        coordinator.changeRules(task, r);
        registerKey(key(3), STAKE);
        registerKey(key(4), STAKE);
        registerAnother();
        uint256 opened;
        for (uint256 step = 0; step < 6; ++step) {
            seed = shuffle(seed);
            (bool done, ) = address(coordinator).call(abi.encodeCall(IRounds.openRound, (task)));
            if (!done) continue; // everybody has left
            uint64 round = uint64(++opened);
            // in the block that opens it, and in two later ones
            for (uint256 k = 0; k < 3; ++k) {
                seed = shuffle(seed);
                nextBlock();
            }
            uint256 may;
            for (uint256 i = 0; i < ALL; ++i) {
                (done, ) = address(coordinator).call(commitCall(round, i));
                if (done) ++may;
            }
            eq(may, eligible(round));
            eq(may, coordinator.forcedCountOf(task, round));
            close(round, 0);
            seed = shuffle(seed);
            IRounds.Result memory result_ = result(round);
            (result_.revealed, result_.inputs) = (uint32(may), uint32(may));
            post(round, result_);
        }
    }

    /// @dev Up to three join or leave, as chance has it.
    function shuffle(uint256 seed) private returns (uint256) {
        for (uint256 k = 0; k < seed % 4; ++k) {
            uint256 i = (seed >> (8 + 16 * k)) % ALL;
            bool joins = (seed >> (16 + 16 * k)) % 2 == 0;
            bytes memory data =
                joins
                    ? abi.encodeCall(IMembers.join, (task, node(i)))
                    : abi.encodeCall(IMembers.leave, (task, node(i)));
            vm.prank(owner(i % 5));
            (bool done, ) = address(coordinator).call(data);
            done; // or refused
        }
        return uint256(keccak256(abi.encode(seed)));
    }

    /// @dev Number 5 is a second Supernode of the first owner.
    function registerAnother() private {
        give(owner(0), STAKE);
        bytes memory signature = operatorSignature(owner(0), node(5), key(5));
        vm.prank(owner(0));
        registry.register(node(5), STAKE, signature);
    }
}
