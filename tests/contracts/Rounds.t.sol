// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IChallenges } from "../../contracts/interfaces/IChallenges.sol";
import { IForcedCommits } from "../../contracts/interfaces/IForcedCommits.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RoundCalls } from "./RoundCalls.sol";

contract RoundsTest is RoundCalls {
    // A normal round

    function test_round__normal__runs_through() public {
        vm.expectEmit();
        emit IRounds.RoundOpened(task, 1, 0, 3);
        eq(open(), 1);
        IRounds.Round memory r = coordinator.roundOf(task, 1);
        eq(r.openBlock, block.number);
        eq(r.openedAt, block.timestamp);
        eq(r.eligible, 3);
        eq(r.phase, IRounds.Phase.Open);

        skip(5);
        vm.prevrandao(keccak256("random"));
        bytes32 root = commitsRoot(1);
        vm.expectEmit();
        emit IRounds.CommitsClosed(task, 1, 3, 0, root, keccak256("random"));
        close(1);
        r = coordinator.roundOf(task, 1);
        eq(r.closedAt, block.timestamp);
        eq(r.commits, 3);
        eq(r.closing, keccak256(abi.encode(root, keccak256("random"))));
        eq(r.resultHash, bytes32(0));
        eq(r.phase, IRounds.Phase.Closed);

        skip(5);
        IRounds.Result memory posted_ = result(1);
        vm.expectEmit();
        emit IRounds.ResultPosted(task, 1, posted_);
        post(1);
        r = coordinator.roundOf(task, 1);
        eq(r.postedAt, block.timestamp);
        eq(r.closing, bytes32(0));
        eq(r.resultHash, keccak256(abi.encode(posted_)));
        eq(r.phase, IRounds.Phase.Posted);
        eq(head(), 1);

        skip(CHALLENGE);
        vm.expectEmit();
        emit IRounds.Finalized(task, 1, posted_.accountsRoot, posted_.rewardTotal);
        finalize(1);
        eq(phase(1), IRounds.Phase.Finalized);
        eq(distributor.rootOf(task), posted_.accountsRoot);
        eq(distributor.totalOf(task), posted_.rewardTotal);
        eq(coordinator.taskOf(task).inFlight, 0);
    }

    function test_round__next__starts_on_the_posted_model() public {
        posted();
        vm.expectEmit();
        emit IRounds.RoundOpened(task, 2, 1, 3);
        eq(open(), 2);
        eq(coordinator.taskOf(task).inFlight, 2);
    }

    // Open

    function test_open__in_progress_or_frozen__refused() public {
        open();
        bytes memory data = abi.encodeCall(IRounds.openRound, (task));
        refuses(ANYONE, data, wrongPhase(1, IRounds.Phase.Open));
        close(1);
        refuses(ANYONE, data, wrongPhase(1, IRounds.Phase.Closed));
        post(1);
        challenge(1);
        refuses(ANYONE, data, wrongPhase(1, IRounds.Phase.Frozen));
        resolve(1, true);
        open();
    }

    function test_open__too_few_joined__refused() public {
        vm.prank(owner(0));
        coordinator.leave(task, node(0));
        open();
        skip(COMMIT + RESULT);
        coordinator.abort(task, 1);
        vm.prank(owner(1));
        coordinator.leave(task, node(1));
        refuses(ANYONE, abi.encodeCall(IRounds.openRound, (task)), quorumMissed(1, 2));
    }

    function test_open__as_many_undecided_as_may_be__refused_until_one_ends() public {
        ITasks.TaskRules memory r = rules();
        r.maxInFlight = 2;
        change(r);
        posted();
        posted();
        bytes memory full = abi.encodeWithSelector(ITasks.RoundsInFlight.selector, task, 2);
        refuses(ANYONE, abi.encodeCall(IRounds.openRound, (task)), full);
        skip(CHALLENGE);
        finalize(1);
        open();
    }

    function test_open__superlink_without_bond__refused() public {
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.unbond(superlink, 500 ether);
        open(); // exactly the bond
        skip(COMMIT);
        vm.prank(superlink);
        coordinator.abort(task, 1);
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.unbond(superlink, 1 ether);
        refuses(
            ANYONE,
            abi.encodeCall(IRounds.openRound, (task)),
            abi.encodeWithSelector(IRounds.BondTooSmall.selector, 499 ether, 500 ether)
        );
    }

    function test_open__budgets_in_flight_exceed_the_escrow__refused() public {
        ITasks.TaskRules memory r = rules();
        r.roundBudget = 400 ether;
        task = create(r, 1000 ether);
        for (uint256 i = 0; i < NODES; ++i) join(i);
        posted();
        posted();
        refuses(
            ANYONE,
            abi.encodeCall(IRounds.openRound, (task)),
            abi.encodeWithSelector(IRounds.NotFunded.selector, task, 1000 ether, 1200 ether)
        );
        vm.prank(DAO);
        distributor.fund(task, 200 ether);
        open();
    }

    // Result

    function test_post__wrong__refused() public {
        open();
        close(1);
        IRounds.Result memory r = result(1);
        refuses(
            ANYONE,
            postCall(1, r),
            abi.encodeWithSelector(IRounds.NotSuperlink.selector, ANYONE, superlink)
        );
        r.revealed = 4;
        refuses(superlink, postCall(1, r), badResult("revealed"));
        r = result(1);
        r.inputs = 4;
        refuses(superlink, postCall(1, r), badResult("inputs"));
        r = result(1);
        r.weightSum = (1 << 20) + 1;
        refuses(superlink, postCall(1, r), badResult("weightSum"));
        r = result(1);
        r.commitsRoot = 0;
        refuses(superlink, postCall(1, r), badResult("closing"));
        r = result(1);
        r.seed = keccak256("before a reorg");
        refuses(superlink, postCall(1, r), badResult("closing"));
        r = result(1);
        r.forcedHash = keccak256("made up");
        refuses(
            superlink,
            postCall(1, r),
            abi.encodeWithSelector(IForcedCommits.ForcedCommitIgnored.selector, r.forcedHash, bytes32(0))
        );
    }

    function test_post__reveals_missing__after_the_reveal_deadline() public {
        open();
        force(1, 2);
        skip(COMMIT);
        close(1, 2);
        uint256 revealEnd = block.timestamp + REVEAL;
        IRounds.Result memory r = result(1);
        r.revealed = 2;
        vm.warp(revealEnd - 1);
        refuses(superlink, postCall(1, r), abi.encodeWithSelector(IRounds.RevealsMissing.selector, 2, 3));
        vm.warp(revealEnd);
        post(1, r);
    }

    function test_post__last_second__accepted_and_no_later() public {
        open();
        close(1);
        IRounds.Result memory r = result(1);
        uint256 end = block.timestamp + REVEAL + RESULT;
        vm.warp(end + 1);
        refuses(superlink, postCall(1, r), tooLate(end));
        vm.warp(end);
        post(1, r);
    }

    function test_post__built_on_a_void_result__refused() public {
        posted();
        open();
        close(2);
        challenge(1);
        resolve(1, false);
        refuses(superlink, postCall(2, result(2)), wrongPhase(1, IRounds.Phase.Void));
        coordinator.abort(task, 2);
    }

    // Finalize

    function test_finalize__window_for_challenges__must_have_passed() public {
        posted();
        uint256 end = block.timestamp + CHALLENGE;
        vm.warp(end - 1);
        refuses(ANYONE, finalizeCall(1), tooEarly(end));
        vm.warp(end);
        finalize(1);
        refuses(ANYONE, finalizeCall(1), wrongPhase(1, IRounds.Phase.Finalized));
    }

    function test_finalize__other_result__refused() public {
        uint64 round = posted();
        skip(CHALLENGE);
        IRounds.Result memory r = result(round);
        r.accountsRoot = keccak256("mine");
        refuses(ANYONE, abi.encodeCall(IRounds.finalize, (task, round, r)), badResult("hash"));
    }

    function test_finalize__parent_not_final__refused() public {
        posted();
        posted();
        skip(CHALLENGE);
        refuses(ANYONE, finalizeCall(2), abi.encodeWithSelector(IRounds.ParentNotFinal.selector, task, 1));
        finalize(1);
        finalize(2);
        eq(distributor.totalOf(task), 2 * BUDGET);
    }

    function test_finalize__pays_more_than_the_budget__void() public {
        open();
        close(1);
        IRounds.Result memory r = result(1);
        r.rewardTotal = BUDGET + 1;
        post(1, r);
        posted();
        skip(CHALLENGE);
        vm.expectEmit();
        emit IRounds.Voided(task, 1);
        coordinator.finalize(task, 1, r);
        eq(phase(1), IRounds.Phase.Void);
        eq(distributor.totalOf(task), 0);
        coordinator.voidRound(task, 2);
        eq(coordinator.taskOf(task).inFlight, 0);
    }

    function test_finalize__pays_less_than_its_parent__void() public {
        finalized();
        open();
        close(2);
        IRounds.Result memory r = result(2);
        r.rewardTotal = BUDGET - 1;
        post(2, r);
        skip(CHALLENGE);
        coordinator.finalize(task, 2, r);
        eq(phase(2), IRounds.Phase.Void);
        eq(head(), 1);
        eq(distributor.totalOf(task), BUDGET);
    }

    // Phases

    function refusesAll(uint64 round, IRounds.Phase at) internal {
        bytes memory expected = wrongPhase(round, at);
        refuses(superlink, closeCall(round, 3), expected);
        refuses(ANYONE, commitCall(round, 0), expected);
        refuses(superlink, postCall(round, result(round)), expected);
        refuses(CHALLENGER, abi.encodeCall(IChallenges.challenge, (task, round, "")), expected);
        refuses(DAO, abi.encodeCall(IChallenges.resolve, (task, round, true)), expected);
        refuses(ANYONE, finalizeCall(round), expected);
        refuses(ANYONE, abortCall(round), expected);
        refuses(ANYONE, voidCall(round), expected);
    }

    function test_phases__none_or_ended__nothing_may_happen() public {
        refusesAll(1, IRounds.Phase.None);
        finalized();
        refusesAll(1, IRounds.Phase.Finalized);
        open();
        skip(COMMIT + RESULT);
        coordinator.abort(task, 2);
        refusesAll(2, IRounds.Phase.Aborted);
        posted();
        challenge(3);
        resolve(3, false);
        refusesAll(3, IRounds.Phase.Void);
    }

    // Fuzz

    /// @dev In whatever order nodes force their commits, the hash is theirs in that order and nobody else's.
    function testFuzz_commit__any_order__hash_is_the_chain(uint256 seed) public {
        open();
        bytes32 expected;
        uint256 count;
        for (uint256 step = 0; step < 6; ++step) {
            uint256 i = uint256(keccak256(abi.encode(seed, step))) % NODES;
            (bool done, ) = address(coordinator).call(commitCall(1, i));
            if (!done) continue;
            expected = keccak256(abi.encode(expected, node(i), commitment(i, 1)));
            ++count;
        }
        eq(coordinator.forcedHashOf(task, 1), expected);
        eq(coordinator.forcedCountOf(task, 1), count);
        check(count <= NODES);
    }

    /// @dev Only the operator's own signature over exactly this commit is accepted.
    function testFuzz_commit__any_other_signature__refused(bytes memory signature, uint256 signer) public {
        open();
        bytes32 value = commitment(0, 1);
        (bool done, ) = address(coordinator).call(
            abi.encodeCall(IForcedCommits.commit, (task, 1, node(0), value, signature))
        );
        check(!done);
        signer = 1 + (signer % 1e30);
        if (vm.addr(signer) == node(0)) return;
        bytes32 digest = keccak256(abi.encode(task, value));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(signer, digest);
        (done, ) = address(coordinator).call(
            abi.encodeCall(IForcedCommits.commit, (task, 1, node(0), value, abi.encodePacked(r, s, v)))
        );
        check(!done);
    }

    /// @dev A time decides alone whether a result is posted, aborted or finalized.
    function testFuzz_deadlines__any_time__as_the_rules_say(uint32 wait) public {
        open();
        close(1);
        uint256 closed = block.timestamp;
        IRounds.Result memory r = result(1);
        r.revealed = 2;
        uint256 time = closed + (wait % 400);
        vm.warp(time);
        vm.prank(superlink);
        (bool done, ) = address(coordinator).call(postCall(1, r));
        check(done == (time >= closed + REVEAL && time <= closed + REVEAL + RESULT));
        if (done) return;
        (done, ) = address(coordinator).call(abortCall(1));
        check(done == (time > closed + REVEAL + RESULT));
    }
}
