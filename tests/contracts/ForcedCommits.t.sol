// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IForcedCommits } from "../../contracts/interfaces/IForcedCommits.sol";
import { IMembers } from "../../contracts/interfaces/IMembers.sol";
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
        eq(coordinator.contestedCountOf(task, 1), 0);
    }

    function test_commit__closed__chained_and_must_be_stated() public {
        open();
        skip(COMMIT);
        close(1, 2);
        IRounds.Result memory r = result(1);
        force(1, 2);
        bytes32 hash = coordinator.forcedHashOf(task, 1);
        refuses(
            superlink,
            postCall(1, r),
            abi.encodeWithSelector(IRounds.ForcedCommitIgnored.selector, bytes32(0), hash)
        );
        r.forcedHash = hash;
        post(1, r);
    }

    function test_commit__deadlines__by_block_time() public {
        open();
        uint256 commitEnd = block.timestamp + COMMIT;
        vm.warp(commitEnd - 1);
        force(1, 0);
        vm.warp(commitEnd);
        refuses(ANYONE, commitCall(1, 1), tooLate(commitEnd));
        close(1, 2);
        uint256 forceEnd = block.timestamp + FORCE;
        vm.warp(forceEnd - 1);
        force(1, 1);
        vm.warp(forceEnd);
        refuses(ANYONE, commitCall(1, 2), tooLate(forceEnd));
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
        close(1, 2);
        refuses(ANYONE, commitCall(1, 0), again);
        post(1);
        refuses(ANYONE, commitCall(1, 0), again);
    }

    function test_commit__not_eligible__refused() public {
        registerKey(key(7), STAKE);
        registerKey(key(8), STAKE);
        vm.roll(block.number + 1);
        join(7); // in the block that opens the round
        open();
        vm.roll(block.number + 1);
        join(8);
        refuses(ANYONE, commitCall(1, 7), abi.encodeWithSelector(IMembers.NotJoined.selector, task, node(7)));
        refuses(ANYONE, commitCall(1, 8), abi.encodeWithSelector(IMembers.NotJoined.selector, task, node(8)));
        refuses(ANYONE, commitCall(1, 9), abi.encodeWithSelector(IMembers.NotJoined.selector, task, node(9)));
    }

    function test_commit__left_since_the_opening__is_taken_for_that_round_alone() public {
        registerKey(key(7), STAKE);
        join(7); // so that the next round has its quorum
        vm.roll(block.number + 1);
        open();
        vm.roll(block.number + 1);
        vm.prank(owner(0));
        coordinator.leave(task, node(0));
        vm.prank(owner(1));
        registry.unbond(node(1), STAKE);
        vm.prank(superlink);
        coordinator.expire(task, node(1));
        force(1, 0);
        force(1, 1);
        eq(coordinator.forcedCountOf(task, 1), 2);
        skip(COMMIT);
        close(1, 1);
        post(1);
        vm.roll(block.number + 1);
        open();
        refuses(ANYONE, commitCall(2, 0), abi.encodeWithSelector(IMembers.NotJoined.selector, task, node(0)));
        refuses(ANYONE, commitCall(2, 1), abi.encodeWithSelector(IMembers.NotJoined.selector, task, node(1)));
    }

    function test_commit__stake_left_before_the_round__refused() public {
        vm.prank(owner(0));
        registry.unbond(node(0), STAKE - 99 ether);
        skip(1);
        open();
        vm.prank(owner(1));
        registry.unbond(node(1), STAKE);
        skip(1);
        refuses(
            ANYONE,
            commitCall(1, 0),
            abi.encodeWithSelector(IMembers.StakeOutsideRules.selector, 99 ether, 100 ether)
        );
        force(1, 1);
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
        data = abi.encodeCall(IForcedCommits.commit, (task, 1, node(0), value, other));
        vm.prank(ANYONE);
        (bool done, ) = address(coordinator).call(data);
        check(!done);
        data = abi.encodeCall(
            IForcedCommits.commit,
            (task, 1, node(0), bytes32(0), signCommit(1, 0, bytes32(0)))
        );
        refuses(ANYONE, data, abi.encodeWithSelector(IForcedCommits.BadSignature.selector, node(0), node(0)));
    }

    // Contests

    function test_contest__in_the_tree__dismissed() public {
        uint64 round = posted();
        vm.expectEmit();
        emit IForcedCommits.Contested(task, round, node(1));
        force(round, 1);
        force(round, 2);
        eq(coordinator.forcedHashOf(task, round), bytes32(0));
        eq(coordinator.forcedCountOf(task, round), 0);
        eq(coordinator.contestedCountOf(task, round), 2);
        vm.expectEmit();
        emit IForcedCommits.Dismissed(task, round, node(1));
        dismiss(round, 1);
        refuses(
            ANYONE,
            dismissCall(round, 1),
            abi.encodeWithSelector(IForcedCommits.NotContested.selector, task, round, node(1))
        );
        eq(coordinator.contestedCountOf(task, round), 1);
        skip(CHALLENGE - 1);
        dismiss(round, 2);
        skip(1);
        finalize(round);
    }

    function test_contest__unanswered__voids() public {
        posted();
        open();
        skip(FORCE - 1);
        force(1, 2);
        uint256 end = block.timestamp + CHALLENGE;
        skip(CHALLENGE - 1);
        refuses(
            ANYONE,
            finalizeCall(1),
            abi.encodeWithSelector(IForcedCommits.StillContested.selector, task, 1, 1)
        );
        refuses(ANYONE, voidCall(1), tooEarly(end));
        vm.warp(end);
        refuses(ANYONE, dismissCall(1, 2), tooLate(end));
        vm.expectEmit();
        emit IRounds.Voided(task, 1);
        coordinator.voidRound(task, 1);
        eq(phase(1), IRounds.Phase.Void);
        eq(head(), 0);
        // the child in progress goes at once, whoever asks
        vm.expectEmit();
        emit IRounds.Aborted(task, 2);
        coordinator.abort(task, 2);
        eq(coordinator.taskOf(task).inFlight, 0);
        open();
        eq(coordinator.roundOf(task, 3).parent, 0);
    }

    function test_contest__frozen__accepted_and_voids() public {
        uint64 round = posted();
        challenge(round);
        force(round, 0);
        skip(CHALLENGE);
        coordinator.voidRound(task, round);
        eq(token.balanceOf(CHALLENGER), 1000 ether);
    }

    function test_dismiss__wrong__refused() public {
        uint64 round = posted();
        bytes memory none = abi.encodeWithSelector(
            IForcedCommits.NotContested.selector,
            task,
            round,
            node(0)
        );
        refuses(ANYONE, dismissCall(round, 0), none);
        force(round, 0);
        IRounds.Result memory r = result(round);
        bytes32[] memory proof = proofOf(round, 0);
        bytes32 value = commitment(0, round);
        refuses(
            ANYONE,
            abi.encodeCall(IForcedCommits.dismiss, (task, round, node(0), commitment(1, round), 0, proof, r)),
            none
        );
        bytes memory bad = abi.encodeWithSelector(IForcedCommits.BadProof.selector);
        refuses(
            ANYONE,
            abi.encodeCall(IForcedCommits.dismiss, (task, round, node(0), value, 1, proof, r)),
            bad
        );
        refuses(
            ANYONE,
            abi.encodeCall(IForcedCommits.dismiss, (task, round, node(0), value, 1 << 20, proof, r)),
            bad
        );
        proof[3] = bytes32(uint256(proof[3]) ^ 1);
        refuses(
            ANYONE,
            abi.encodeCall(IForcedCommits.dismiss, (task, round, node(0), value, 0, proof, r)),
            bad
        );
        proof = new bytes32[](19);
        refuses(
            ANYONE,
            abi.encodeCall(IForcedCommits.dismiss, (task, round, node(0), value, 0, proof, r)),
            bad
        );
        r.commitsRoot = keccak256("other");
        refuses(
            ANYONE,
            abi.encodeCall(IForcedCommits.dismiss, (task, round, node(0), value, 0, proof, r)),
            badResult("hash")
        );
    }
}
