// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDemands } from "../../contracts/interfaces/IDemands.sol";
import { IDisputes } from "../../contracts/interfaces/IDisputes.sol";
import { IGradientVote } from "../../contracts/interfaces/IGradientVote.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Voting } from "./Voting.sol";

contract GradientVoteTest is Voting {
    // Accuse

    function test_accuse__posted_result__case_is_open_for_two_moves() public {
        uint64 round = posted();
        uint256 now_ = block.timestamp;
        vm.expectEmit();
        emit IGradientVote.GradientAccused(task, round, node(0), BOND, now_ + MOVE, now_ + 2 * MOVE);
        bytes32 result = resultHashOf(round);
        vm.prank(node(0));
        jury.accuse(task, round, result);
        IGradientVote.GradientCase memory c = jury.caseOf(task, round);
        eq(c.accuser, node(0));
        eq(c.bond, BOND);
        eq(c.openBlock, block.number);
        eq(jury.bondsOf(node(0)), BOND);
        eq(phase(round), IRounds.Phase.Posted);
        eq(stakeOf(0), STAKE);
    }

    function test_accuse__again__refused() public {
        uint64 round = accused();
        bytes memory expected = abi.encodeWithSelector(IGradientVote.AlreadyAccused.selector, task, round);
        no(node(1), encodeAccuse(round), expected);
    }

    function test_accuse__round_without_a_result__refused() public {
        uint64 round = open();
        bytes memory expected = wrongPhase(round, IRounds.Phase.Open);
        no(node(0), encodeAccuse(round), expected);
    }

    function test_accuse__another_result_than_the_rounds__refused() public {
        uint64 round = posted();
        bytes memory data = abi.encodeCall(IGradientVote.accuse, (task, round, SALT));
        no(node(0), data, abi.encodeWithSelector(IRounds.BadResult.selector, "hash"));
        accuse(round, 0);
    }

    function test_accuse__three_moves_before_the_windows_end__the_last_time() public {
        uint64 round = posted();
        uint256 last = coordinator.roundOf(task, round).postedAt + CHALLENGE - 3 * MOVE;
        vm.warp(last + 1);
        no(node(0), encodeAccuse(round), tooLate(last));
        vm.warp(last);
        accuse(round, 0);
    }

    function test_accuse__frozen_result__taken_at_any_time() public {
        uint64 round = posted();
        challenge(round);
        skip(CHALLENGE);
        accuse(round, 0);
        vote(round, votes(true, true, true));
        judge(round);
        eq(phase(round), IRounds.Phase.Void);
    }

    function test_accuse__window_too_short_for_moves__refused() public {
        ITasks.TaskRules memory r = rules();
        r.challengePeriod = 479;
        change(r);
        uint64 round = posted();
        bytes memory expected = abi.encodeWithSelector(IDemands.WindowTooShort.selector, task, 479);
        no(node(0), encodeAccuse(round), expected);
    }

    function test_accuse__round_that_opened_before_the_jury_was_voted_in__refused() public {
        vm.prank(DAO);
        disputes.setProver(address(jury), false);
        skip(1);
        uint64 round = posted();
        skip(1);
        vm.prank(DAO);
        disputes.setProver(address(jury), true);
        skip(1);
        bytes memory expected = abi.encodeWithSelector(
            IDisputes.NotProver.selector,
            address(jury),
            task,
            round
        );
        no(node(0), encodeAccuse(round), expected);
    }

    function test_accuse__stake_below_the_bonds_of_all_open_cases__refused() public {
        ITasks.TaskRules memory r = rules();
        (r.challengeBond, r.minStake) = (1000 ether, 150 ether); // of which the lesser is the bond
        change(r);
        uint64 first = posted();
        uint64 second = posted();
        bytes memory data = encodeAccuse(first);
        bytes memory expected = abi.encodeWithSelector(IGradientVote.StakeBelowBonds.selector, 0, 150 ether);
        no(ANYONE, data, expected);
        accuse(first, 0);
        data = encodeAccuse(second);
        expected = abi.encodeWithSelector(IGradientVote.StakeBelowBonds.selector, STAKE, 300 ether);
        no(node(0), data, expected);
        accuse(second, 1);
    }

    // The seed

    function test_draw__until_the_block_after_the_case_is_over__no_seed() public {
        uint64 round = posted();
        bytes32 result = resultHashOf(round);
        vm.prank(node(0));
        jury.accuse(task, round, result);
        uint256 next = block.number + 1;
        bytes memory expected = abi.encodeWithSelector(IGradientVote.NoSeed.selector, next);
        bytes memory data = abi.encodeCall(IGradientVote.draw, (task, round));
        no(ANYONE, data, expected);
        skip(1);
        no(ANYONE, data, expected);
        eq(jury.weightOf(task, round, node(1)), 0);
        skip(1);
        eq(jury.weightOf(task, round, node(1)), STAKE);
        jury.draw(task, round);
        bytes32 seed = jury.caseOf(task, round).seed;
        check(seed == blockhash(next) && seed != 0);
        jury.draw(task, round);
        vm.roll(block.number + 300);
        eq(jury.weightOf(task, round, node(1)), STAKE);
        commitVote(round, 1, true);
    }

    function test_draw__nobody_kept_the_seed_in_time__no_juror() public {
        uint64 round = accused();
        uint256 next = jury.caseOf(task, round).openBlock + 1;
        vm.roll(block.number + 300);
        bytes memory expected = abi.encodeWithSelector(IGradientVote.NoSeed.selector, next);
        no(node(0), encodeVote(round), expected);
        skip(2 * MOVE);
        judge(round);
        ends(round, IGradientVote.Verdict.Undecided);
        noFine(round, node(0));
    }

    function test_draw__no_case__refused() public {
        no(ANYONE, abi.encodeCall(IGradientVote.draw, (task, 1)), noCase(1));
        eq(jury.weightOf(task, 1, node(0)), 0);
    }

    // Jurors

    function test_weightOf__stake__as_an_update_counts() public {
        registerKey(key(3), 5000 ether);
        join(3);
        registerKey(key(4), 120 ether);
        join(4);
        skip(1);
        ITasks.TaskRules memory r = rules();
        r.minStake = 150 ether;
        change(r);
        uint64 round = open();
        close(round, 3, 2);
        post(round);
        give(owner(0), 100 ether);
        vm.prank(owner(0));
        registry.addStake(node(0), 100 ether);
        accuse(round, 0);
        eq(jury.weightOf(task, round, node(0)), STAKE); // what was there before the round opened
        eq(jury.weightOf(task, round, node(3)), 1000 ether); // the most that counts
        eq(jury.weightOf(task, round, node(4)), 0); // too little
        eq(jury.weightOf(task, round, superlink), 0); // no member
        bytes memory data = encodeVote(round);
        no(node(4), data, abi.encodeWithSelector(IGradientVote.NotJuror.selector, node(4)));
        no(superlink, data, abi.encodeWithSelector(IGradientVote.NotJuror.selector, superlink));
    }

    function test_weightOf__task_of_admitted_members__one_each() public {
        ITasks.TaskRules memory r = rules();
        r.admittedOnly = true;
        task = create(r, 1000 ether);
        for (uint256 i = 0; i < NODES; ++i) {
            vm.prank(DAO);
            coordinator.admit(task, owner(i), true);
            join(i);
        }
        uint64 round = accused();
        for (uint256 i = 0; i < NODES; ++i) eq(jury.weightOf(task, round, node(i)), 1);
    }

    function test_weightOf__many_members__the_seed_draws_some() public {
        for (uint256 i = 3; i < 60; ++i) {
            registerKey(key(i), STAKE);
            join(i);
        }
        skip(1);
        uint64 round = open();
        close(round, 3, 57);
        post(round);
        accuse(round, 0);
        jury.draw(task, round);
        bytes32 seed = jury.caseOf(task, round).seed;
        uint256 drawn = 0;
        for (uint256 i = 0; i < 60; ++i) {
            bool isDrawn = uint256(keccak256(abi.encode(seed, node(i)))) % 60 < 25;
            eq(jury.weightOf(task, round, node(i)), isDrawn ? STAKE : 0);
            if (isDrawn) ++drawn;
        }
        check(drawn > 10 && drawn < 40);
    }

    // Votes

    /// @dev As where a reorg gives the round another result, and somebody accuses that one.
    function test_commitVote__on_another_result_than_the_rounds__refused_and_may_vote_on_this_one() public {
        uint64 round = accused();
        bytes memory data = abi.encodeCall(IGradientVote.commitVote, (task, round, SALT, SALT));
        no(node(0), data, abi.encodeWithSelector(IRounds.BadResult.selector, "hash"));
        commitVote(round, 0, true);
        eq(jury.caseOf(task, round).commits, 1);
    }

    function test_commitVote__twice_or_late__refused() public {
        uint64 round = accused();
        uint256 end = jury.caseOf(task, round).commitEnd;
        vm.expectEmit();
        emit IGradientVote.VoteCommitted(task, round, node(0));
        commitVote(round, 0, true);
        bytes memory data = encodeVote(round);
        no(node(0), data, abi.encodeWithSelector(IGradientVote.AlreadyVoted.selector, node(0)));
        vm.warp(end - 1);
        commitVote(round, 1, true);
        vm.warp(end);
        no(node(2), data, tooLate(end));
        eq(jury.caseOf(task, round).commits, 2);
    }

    function test_revealVote__early_late_other_or_again__refused() public {
        uint64 round = accused();
        for (uint256 i = 0; i < 3; ++i) commitVote(round, i, true);
        IGradientVote.GradientCase memory c = jury.caseOf(task, round);
        bytes memory data = abi.encodeCall(IGradientVote.revealVote, (task, round, true, SALT));
        no(node(0), data, tooEarly(c.commitEnd));
        vm.warp(c.commitEnd);
        bytes memory expected = abi.encodeWithSelector(IGradientVote.WrongVote.selector, node(0));
        no(node(0), abi.encodeCall(IGradientVote.revealVote, (task, round, false, SALT)), expected);
        no(node(0), abi.encodeCall(IGradientVote.revealVote, (task, round, true, 0)), expected);
        vm.expectEmit();
        emit IGradientVote.VoteRevealed(task, round, node(0), true, STAKE);
        revealVote(round, 0, true);
        no(node(0), data, expected);
        check(jury.ballotOf(task, round, node(0)).wrong);
        // the vote of one juror is not another's
        no(ANYONE, data, abi.encodeWithSelector(IGradientVote.WrongVote.selector, ANYONE));
        vm.warp(c.revealEnd - 1);
        revealVote(round, 1, true);
        vm.warp(c.revealEnd);
        no(node(2), data, tooLate(c.revealEnd));
        eq(jury.caseOf(task, round).forWrong, 2 * STAKE);
    }
}
