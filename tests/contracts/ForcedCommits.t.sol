// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IForcedCommits } from "../../contracts/interfaces/IForcedCommits.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { RoundCalls } from "./RoundCalls.sol";

contract ForcedCommitsTest is RoundCalls {
    // Forced commits

    function test_commit__open__chained_and_counted() public {
        open();
        bytes32 value = commitment(1, 1);
        bytes memory signature = signCommit(1, 1, value);
        vm.expectEmit();
        emit IForcedCommits.ForcedCommit(task, 1, node(1), value, signature);
        force(1, 1);
        bytes32 first = keccak256(abi.encode(bytes32(0), node(1), value));
        eq(coordinator.forcedHashOf(task, 1), first);
        force(1, 0);
        eq(coordinator.forcedHashOf(task, 1), keccak256(abi.encode(first, node(0), commitment(0, 1))));
        eq(coordinator.forcedCountOf(task, 1), 2);
    }

    function test_commit__forced__must_be_stated() public {
        open();
        IRounds.Result memory r = result(1);
        force(1, 2);
        bytes32 hash = coordinator.forcedHashOf(task, 1);
        close(1, 2);
        refuses(
            superlink,
            postCall(1, r),
            abi.encodeWithSelector(IForcedCommits.ForcedCommitIgnored.selector, bytes32(0), hash)
        );
        r.forcedHash = hash;
        post(1, r);
    }

    function test_commit__deadline__by_block_time() public {
        open();
        uint256 commitEnd = block.timestamp + COMMIT;
        vm.warp(commitEnd - 1);
        force(1, 0);
        vm.warp(commitEnd);
        refuses(ANYONE, commitCall(1, 1), tooLate(commitEnd));
        vm.warp(commitEnd + 1000 days);
        refuses(ANYONE, commitCall(1, 1), tooLate(commitEnd));
    }

    /// @dev Whoever knows the seed commits no more: not even in the second in which the round closes early.
    function test_commit__round_closed__refused_in_every_phase_from_then_on() public {
        open();
        force(1, 0);
        close(1, 1, 1);
        refuses(ANYONE, commitCall(1, 1), wrongPhase(1, IRounds.Phase.Closed));
        IRounds.Result memory r = result(1);
        r.revealed = 2;
        post(1, r);
        refuses(ANYONE, commitCall(1, 1), wrongPhase(1, IRounds.Phase.Posted));
        challenge(1);
        refuses(ANYONE, commitCall(1, 1), wrongPhase(1, IRounds.Phase.Frozen));
        resolve(1, true);
        skip(CHALLENGE);
        coordinator.finalize(task, 1, r);
        refuses(ANYONE, commitCall(1, 1), wrongPhase(1, IRounds.Phase.Finalized));
        posted();
        challenge(2);
        resolve(2, false);
        refuses(ANYONE, commitCall(2, 1), wrongPhase(2, IRounds.Phase.Void));
        open();
        skip(COMMIT);
        vm.prank(superlink);
        coordinator.abort(task, 3);
        refuses(ANYONE, commitCall(3, 1), wrongPhase(3, IRounds.Phase.Aborted));
        eq(coordinator.forcedCountOf(task, 1), 1);
        eq(coordinator.forcedCountOf(task, 2), 0);
    }

    function test_commit__twice__refused() public {
        open();
        force(1, 0);
        bytes memory again = abi.encodeWithSelector(
            IForcedCommits.AlreadyCommitted.selector,
            task,
            1,
            node(0)
        );
        refuses(ANYONE, commitCall(1, 0), again);
        skip(1);
        refuses(ANYONE, commitCall(1, 0), again);
    }

    function test_commit__wrong_signature__refused() public {
        open();
        bytes32 value = commitment(0, 1);
        bytes memory other = signCommit(1, 1, value);
        bytes memory data = abi.encodeCall(IForcedCommits.commit, (task, 1, node(0), value, ""));
        refuses(
            ANYONE,
            data,
            abi.encodeWithSelector(IForcedCommits.BadSignature.selector, address(0), node(0))
        );
        refusesSignature(abi.encodeCall(IForcedCommits.commit, (task, 1, node(0), value, other)));
        data = abi.encodeCall(
            IForcedCommits.commit,
            (task, 1, node(0), bytes32(0), signCommit(1, 0, bytes32(0)))
        );
        refuses(ANYONE, data, abi.encodeWithSelector(IForcedCommits.BadSignature.selector, node(0), node(0)));
    }

    // The opening

    function test_opening__first_round_and_next__parents_result_and_block() public {
        eq(coordinator.roundOf(task, 1).opening, bytes32(0));
        open();
        bytes32 opening = coordinator.roundOf(task, 1).opening;
        eq(opening, keccak256(abi.encode(bytes32(0), block.number)));
        skip(1);
        close(1);
        post(1);
        eq(coordinator.roundOf(task, 1).opening, opening);
        open();
        bytes32 parent = keccak256(abi.encode(result(1)));
        eq(coordinator.roundOf(task, 2).opening, keccak256(abi.encode(parent, block.number)));
        skip(CHALLENGE);
        finalize(1);
        eq(coordinator.roundOf(task, 2).opening, keccak256(abi.encode(parent, block.number - 1)));
    }

    function test_commit__signed_for_another_block__refused() public {
        uint256 before = vm.snapshotState();
        open();
        bytes memory data = commitCall(1, 0);
        check(vm.revertToState(before));
        vm.roll(block.number + 1);
        open();
        refusesSignature(data);
        force(1, 0);
    }

    function test_commit__signed_for_another_result_of_the_parent__refused() public {
        open();
        close(1);
        uint256 before = vm.snapshotState();
        post(1);
        open();
        bytes memory data = commitCall(2, 0);
        check(vm.revertToState(before));
        IRounds.Result memory other = result(1);
        other.modelDigest = keccak256("another model");
        post(1, other);
        open();
        refusesSignature(data);
        force(2, 0);
    }

    function test_commit__signed_for_another_parent__refused() public {
        posted();
        uint256 before = vm.snapshotState();
        open();
        bytes memory data = commitCall(2, 0);
        check(vm.revertToState(before));
        challenge(1);
        resolve(1, false);
        open();
        eq(coordinator.roundOf(task, 2).parent, 0);
        refusesSignature(data);
        force(2, 0);
    }

    function test_commit__signed_for_another_round__refused() public {
        uint64 round = open();
        bytes32 value = commitment(0, round);
        bytes memory signature = signCommit(round, 0, value);
        skip(COMMIT);
        vm.prank(superlink);
        coordinator.abort(task, round);
        open();
        refusesSignature(abi.encodeCall(IForcedCommits.commit, (task, 2, node(0), value, signature)));
    }

    /// @dev The commit is refused, for its signature is by somebody else: over these words it recovers another account.
    function refusesSignature(bytes memory data) internal {
        vm.prank(ANYONE);
        (bool done, bytes memory answer) = address(coordinator).call(data);
        check(!done && bytes4(answer) == IForcedCommits.BadSignature.selector);
    }
}
