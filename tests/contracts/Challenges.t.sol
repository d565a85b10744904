// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";

import { IChallenges } from "../../contracts/interfaces/IChallenges.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { RoundCalls } from "./RoundCalls.sol";

contract ChallengesTest is RoundCalls {
    // Challenge

    function test_challenge__right__voids_and_returns_the_bond() public {
        uint64 round = posted();
        skip(CHALLENGE - 1);
        vm.expectEmit();
        emit IChallenges.Challenged(task, round, CHALLENGER, "wrong");
        challenge(round);
        eq(phase(round), IRounds.Phase.Frozen);
        eq(coordinator.roundOf(task, round).postedAt, block.timestamp);
        eq(token.balanceOf(address(coordinator)), BOND);
        vm.expectEmit();
        emit IChallenges.Resolved(task, round, false);
        resolve(round, false);
        eq(phase(round), IRounds.Phase.Void);
        eq(token.balanceOf(CHALLENGER), 1000 ether);
        eq(head(), 0);
        eq(coordinator.taskOf(task).inFlight, 0);
    }

    function test_challenge__wrong__bond_is_the_daos_and_window_is_fresh() public {
        uint64 round = posted();
        challenge(round);
        skip(RESOLVE - 1);
        uint256 before = token.balanceOf(DAO);
        vm.expectEmit();
        emit IChallenges.Resolved(task, round, true);
        resolve(round, true);
        eq(token.balanceOf(DAO), before + BOND);
        eq(phase(round), IRounds.Phase.Posted);
        uint256 end = block.timestamp + CHALLENGE;
        refuses(ANYONE, finalizeCall(round), tooEarly(end));
        challenge(round);
        resolve(round, true);
        skip(CHALLENGE);
        finalize(round);
    }

    function test_challenge__unresolved__void_and_bond_back() public {
        uint64 round = posted();
        challenge(round);
        uint256 end = block.timestamp + RESOLVE;
        vm.warp(end - 1);
        refuses(ANYONE, voidCall(round), tooEarly(end));
        vm.warp(end);
        refuses(DAO, abi.encodeCall(IChallenges.resolve, (task, round, true)), tooLate(end));
        coordinator.voidRound(task, round);
        eq(token.balanceOf(CHALLENGER), 1000 ether);
        eq(token.balanceOf(address(coordinator)), 0);
    }

    function test_challenge__late__refused() public {
        uint64 round = posted();
        uint256 end = block.timestamp + CHALLENGE;
        vm.warp(end);
        refuses(CHALLENGER, abi.encodeCall(IChallenges.challenge, (task, round, "late")), tooLate(end));
    }

    // Abort

    function test_abort__open__by_the_superlink_first_then_by_anyone() public {
        open();
        uint256 commitEnd = block.timestamp + COMMIT;
        refuses(superlink, abortCall(1), tooEarly(commitEnd));
        vm.warp(commitEnd);
        refuses(ANYONE, abortCall(1), tooEarly(commitEnd + RESULT));
        vm.prank(superlink);
        coordinator.abort(task, 1);
        eq(phase(1), IRounds.Phase.Aborted);
        open();
        skip(COMMIT + RESULT);
        coordinator.abort(task, 2);
        eq(coordinator.taskOf(task).inFlight, 0);
    }

    function test_abort__closed__by_anyone_past_the_result_deadline() public {
        open();
        close(1);
        uint256 end = block.timestamp + REVEAL + RESULT;
        vm.warp(end);
        refuses(superlink, abortCall(1), tooEarly(end + 1));
        vm.warp(end + 1);
        coordinator.abort(task, 1);
        IRounds.Round memory r = coordinator.roundOf(task, 1);
        eq(r.phase, IRounds.Phase.Aborted);
        eq(r.closing, keccak256(abi.encode(commitsRoot(1), bytes32(block.prevrandao))));
    }

    // Void

    function test_void__parent_void__children_follow_one_by_one() public {
        posted();
        posted();
        posted();
        open();
        challenge(1);
        refuses(ANYONE, voidCall(3), wrongPhase(3, IRounds.Phase.Posted));
        resolve(1, false);
        eq(head(), 0);
        refuses(ANYONE, voidCall(3), wrongPhase(3, IRounds.Phase.Posted));
        coordinator.abort(task, 4);
        // a new chain stands while the old one is cleared away
        eq(posted(), 5);
        eq(head(), 5);
        coordinator.voidRound(task, 2);
        eq(head(), 5);
        coordinator.voidRound(task, 3);
        eq(head(), 5);
        eq(coordinator.taskOf(task).inFlight, 1);
        skip(CHALLENGE);
        finalize(5);
        eq(coordinator.roundOf(task, 5).parent, 0);
    }

    function test_void__grandchild_first__head_stays() public {
        posted();
        posted();
        posted();
        challenge(3);
        challenge(1);
        resolve(1, false);
        posted();
        eq(head(), 4);
        resolve(3, false);
        eq(head(), 4);
        coordinator.voidRound(task, 2);
        eq(head(), 4);
        eq(coordinator.taskOf(task).inFlight, 1);
    }

    function test_void__frozen_child_of_void__bond_back() public {
        posted();
        posted();
        challenge(2);
        challenge(1);
        resolve(1, false);
        coordinator.voidRound(task, 2);
        eq(token.balanceOf(CHALLENGER), 1000 ether);
        eq(token.balanceOf(address(coordinator)), 0);
    }

    function test_void__orphan__never_final() public {
        posted();
        posted();
        challenge(1);
        resolve(1, false);
        skip(CHALLENGE);
        refuses(ANYONE, finalizeCall(2), abi.encodeWithSelector(IRounds.ParentNotFinal.selector, task, 1));
    }

    // Concede

    function test_concede__posted__void_at_once_and_at_no_cost() public {
        uint64 round = posted();
        vm.expectEmit();
        emit IChallenges.Conceded(task, round);
        vm.expectEmit();
        emit IRounds.Voided(task, round);
        vm.prank(superlink);
        coordinator.concede(task, round);
        eq(phase(round), IRounds.Phase.Void);
        eq(head(), 0);
        eq(coordinator.taskOf(task).inFlight, 0);
        eq(registry.stakeOf(superlink), 1000 ether);
        eq(posted(), round + 1);
    }

    function test_concede__frozen__bond_back() public {
        uint64 round = posted();
        challenge(round);
        vm.prank(superlink);
        coordinator.concede(task, round);
        eq(token.balanceOf(CHALLENGER), 1000 ether);
        eq(token.balanceOf(address(coordinator)), 0);
        refuses(
            DAO,
            abi.encodeCall(IChallenges.resolve, (task, round, true)),
            wrongPhase(round, IRounds.Phase.Void)
        );
    }

    function test_concede__by_another__refused() public {
        uint64 round = posted();
        bytes memory data = abi.encodeCall(IChallenges.concede, (task, round));
        refuses(DAO, data, abi.encodeWithSelector(IRounds.NotSuperlink.selector, DAO, superlink));
        // the next Superlink answers for its own rounds alone
        vm.prank(DAO);
        coordinator.setSuperlink(task, ANYONE);
        refuses(ANYONE, data, abi.encodeWithSelector(IRounds.NotSuperlink.selector, ANYONE, superlink));
        vm.prank(superlink);
        coordinator.concede(task, round);
    }

    function test_concede__not_standing__refused() public {
        uint64 round = finalized();
        bytes memory data = abi.encodeCall(IChallenges.concede, (task, round));
        refuses(superlink, data, wrongPhase(round, IRounds.Phase.Finalized));
        data = abi.encodeCall(IChallenges.concede, (task, round + 1));
        refuses(superlink, data, wrongPhase(round + 1, IRounds.Phase.None));
    }

    // Strike

    function test_strike__by_the_disputes_contract__void_and_bond_back() public {
        posted();
        posted();
        challenge(2);
        vm.prank(address(disputes));
        coordinator.strike(task, 2);
        eq(phase(2), IRounds.Phase.Void);
        eq(head(), 1);
        eq(token.balanceOf(CHALLENGER), 1000 ether);
        vm.prank(address(disputes));
        coordinator.strike(task, 1);
        eq(head(), 0);
        eq(coordinator.taskOf(task).inFlight, 0);
        bytes memory data = abi.encodeCall(IChallenges.strike, (task, 1));
        refuses(address(disputes), data, wrongPhase(1, IRounds.Phase.Void));
    }

    function test_strike__by_another__refused() public {
        uint64 round = posted();
        bytes memory data = abi.encodeCall(IChallenges.strike, (task, round));
        refuses(DAO, data, abi.encodeWithSelector(IChallenges.NotDisputes.selector, DAO));
        vm.expectEmit();
        emit IChallenges.DisputesSet(ANYONE);
        vm.prank(DAO);
        coordinator.setDisputes(ANYONE);
        eq(coordinator.disputes(), ANYONE);
        address before = address(disputes);
        refuses(before, data, abi.encodeWithSelector(IChallenges.NotDisputes.selector, before));
        vm.prank(ANYONE);
        coordinator.strike(task, round);
    }

    function test_set_disputes__by_anyone__refused() public {
        refuses(
            ANYONE,
            abi.encodeCall(IChallenges.setDisputes, (ANYONE)),
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ANYONE)
        );
    }
}
