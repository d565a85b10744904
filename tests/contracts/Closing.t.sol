// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IForcedCommits } from "../../contracts/interfaces/IForcedCommits.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev When commits may be closed, and for which opening of the round.
contract ClosingTest is RoundCalls {
    function test_close__all_committed__early() public {
        open();
        refuses(superlink, closeCall(1, 2), tooEarly(block.timestamp + COMMIT));
        refuses(superlink, closeCall(1, 4), badResult("commits"));
        close(1, 3);
    }

    function test_close__all_committed_with_forced__early() public {
        open();
        force(1, 0);
        close(1, 2);
        eq(coordinator.roundOf(task, 1).commits, 2);
    }

    function test_close__at_the_deadline__needs_quorum() public {
        open();
        skip(COMMIT - 1);
        refuses(superlink, closeCall(1, 2), tooEarly(block.timestamp + 1));
        skip(1);
        refuses(superlink, closeCall(1, 1), quorumMissed(1, 2));
        close(1, 2);
    }

    function test_close__enough_committed__from_its_own_time_on() public {
        ITasks.TaskRules memory r = rules();
        r.closeShare = 66;
        change(r);
        open();
        skip(CLOSE_AFTER - 1);
        refuses(superlink, closeCall(1, 2), tooEarly(block.timestamp + 1));
        skip(1);
        refuses(superlink, closeCall(1, 1), tooEarly(block.timestamp + COMMIT - CLOSE_AFTER));
        refuses(superlink, closeCall(1, 1, 1), tooEarly(block.timestamp + COMMIT - CLOSE_AFTER));
        force(1, 0);
        close(1, 1);
        post(1, revealing(2));
    }

    function test_close__one_less_than_enough__waits_for_the_deadline() public {
        ITasks.TaskRules memory r = rules();
        r.closeShare = 67;
        change(r);
        open();
        skip(CLOSE_AFTER);
        refuses(superlink, closeCall(1, 2), tooEarly(block.timestamp + COMMIT - CLOSE_AFTER));
        skip(COMMIT - CLOSE_AFTER);
        close(1, 2);
    }

    function test_close__forced_commits__count_towards_the_quorum() public {
        open();
        force(1, 0);
        skip(COMMIT);
        close(1, 1);
    }

    function test_close__rest_has_passed__early() public {
        open();
        refuses(superlink, closeCall(1, 2), tooEarly(block.timestamp + COMMIT));
        bytes32 root = commitsRoot(1);
        vm.expectEmit();
        emit IRounds.CommitsClosed(task, 1, 2, 1, root, bytes32(block.prevrandao));
        close(1, 2, 1);
        eq(coordinator.roundOf(task, 1).commits, 2);
        // whoever passed has nothing to reveal
        refuses(superlink, postCall(1, revealing(3)), badResult("revealed"));
        post(1, revealing(2));
    }

    function test_close__rest_has_forced_or_passed__early() public {
        open();
        force(1, 0);
        refuses(superlink, closeCall(1, 1), tooEarly(block.timestamp + COMMIT));
        close(1, 1, 1);
        eq(coordinator.roundOf(task, 1).commits, 1);
        post(1, revealing(2));
    }

    function test_close__passes__never_count_for_the_quorum() public {
        open();
        refuses(superlink, closeCall(1, 0, 3), quorumMissed(0, 2));
        refuses(superlink, closeCall(1, 1, 2), quorumMissed(1, 2));
        skip(COMMIT);
        refuses(superlink, closeCall(1, 1, 1), quorumMissed(1, 2));
        refuses(superlink, closeCall(1, 1, 2), quorumMissed(1, 2));
        close(1, 2);
    }

    function test_close__commits_and_passes_above_eligible__refused() public {
        open();
        refuses(superlink, closeCall(1, 2, 2), badResult("commits"));
        refuses(superlink, closeCall(1, 3, 1), badResult("commits"));
        refuses(superlink, closeCall(1, 0, 4), badResult("commits"));
        refuses(superlink, closeCall(1, type(uint32).max, 1), badResult("commits"));
        refuses(superlink, closeCall(1, type(uint32).max, type(uint32).max), badResult("commits"));
        force(1, 0);
        refuses(superlink, closeCall(1, 2, 1), badResult("commits"));
        refuses(superlink, closeCall(1, 3), badResult("commits"));
        skip(COMMIT);
        refuses(superlink, closeCall(1, 2, 1), badResult("commits"));
        close(1, 1, 1);
    }

    /// @dev As when a reorg opened the round anew, in another block, after its commits were signed.
    function test_close__for_another_opening__refused() public {
        open();
        uint48 openBlock = coordinator.roundOf(task, 1).openBlock;
        for (uint48 other = openBlock - 1; other < openBlock + 2; other += 2) {
            bytes memory stale = abi.encodeCall(
                IRounds.closeCommits,
                (task, 1, other, commitsRoot(1), bytes32(0), uint32(NODES), 0)
            );
            refuses(superlink, stale, badResult("openBlock"));
        }
        close(1);
    }

    /// @dev As when a node's commit came by way of the chain just before the closing of a tree that has it, too.
    function test_close__forced_commits_that_its_sender_did_not_know__refused() public {
        open();
        force(1, 2);
        bytes32 known = coordinator.forcedHashOf(task, 1);
        force(1, 1);
        bytes32 hash = coordinator.forcedHashOf(task, 1);
        skip(COMMIT);
        bytes4 ignored = IForcedCommits.ForcedCommitIgnored.selector;
        refuses(superlink, closeCall(1, known, 1, 0), abi.encodeWithSelector(ignored, known, hash));
        refuses(superlink, closeCall(1, 0, 1, 0), abi.encodeWithSelector(ignored, 0, hash));
        close(1, 1);
        post(1);
        open();
        refuses(superlink, closeCall(2, hash, 3, 0), abi.encodeWithSelector(ignored, hash, 0));
    }

    function test_close__not_superlink__refused() public {
        open();
        refuses(
            node(0),
            closeCall(1, 3),
            abi.encodeWithSelector(IRounds.NotSuperlink.selector, node(0), superlink)
        );
    }
}
