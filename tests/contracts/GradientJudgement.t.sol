// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDisputes } from "../../contracts/interfaces/IDisputes.sol";
import { IGradientVote } from "../../contracts/interfaces/IGradientVote.sol";
import { IProver } from "../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../contracts/interfaces/IStatements.sol";
import { Voting } from "./Voting.sol";

contract GradientJudgementTest is Voting {
    // Judgements

    function test_judge__majority_finds_it_wrong__void_and_the_bond_divided() public {
        uint64 round = accused();
        vote(round, votes(true, true, false));
        vm.expectEmit();
        emit IGradientVote.GradientJudged(task, round, IGradientVote.Verdict.Wrong, 2 * STAKE, STAKE, 0);
        vm.expectEmit();
        emit IDisputes.Convicted(task, round, address(jury), 0, address(jury), 500 ether, BOND);
        judge(round);
        eq(phase(round), IRounds.Phase.Void);
        eq(token.balanceOf(node(0)), BOND);
        eq(stakeOf(0), STAKE);
        eq(registry.stakeOf(superlink), 500 ether);
        eq(distributor.fundedOf(task), 1125 ether);
        ends(round, IGradientVote.Verdict.Wrong);
        no(ANYONE, judgeCall(round), noCase(round));
    }

    /// @dev Disputes compares neither for a prover that calls itself; for everyone else it does, whatever the jury found.
    function test_convict__jury_and_nobody_has_the_statement__for_the_jury_alone() public {
        uint64 round = accused();
        IRounds.Result memory any;
        IStatements.Statement memory none;
        bytes memory expected = abi.encodeWithSelector(IDisputes.WrongResult.selector, task, round);
        refusesEarly(round, any, none, expected);
        judge(round);
        eq(phase(round), IRounds.Phase.Void);
    }

    function test_judge__majority_finds_it_right__the_accuser_loses_its_bond() public {
        uint64 round = accused();
        address accused_ = ownerOf(SUPERLINK_KEY);
        uint256 supply = token.totalSupply();
        vote(round, votes(true, false, false));
        vm.expectEmit();
        emit IGradientVote.GradientJudged(task, round, IGradientVote.Verdict.Right, STAKE, 2 * STAKE, BOND);
        judge(round);
        eq(token.balanceOf(accused_), BOND / 2);
        eq(token.totalSupply(), supply - BOND / 2);
        eq(stakeOf(0), STAKE - BOND);
        eq(phase(round), IRounds.Phase.Posted);
        ends(round, IGradientVote.Verdict.Right);
        skip(CHALLENGE - 2 * MOVE);
        finalize(round);
    }

    function test_judge__stake_decides_not_heads() public {
        registerKey(key(3), 900 ether);
        join(3);
        skip(1);
        uint64 round = open();
        close(round, 3, 1);
        post(round);
        accuse(round, 0);
        bool[] memory all = new bool[](4);
        all[3] = true;
        vote(round, all);
        judge(round);
        ends(round, IGradientVote.Verdict.Wrong);
        eq(phase(round), IRounds.Phase.Void);
    }

    function test_judge__accuser_without_stake_by_then__has_nothing_to_lose() public {
        uint64 round = accused();
        vm.prank(DAO);
        registry.setSlasher(DAO, true);
        vm.prank(DAO);
        registry.slash(node(0), STAKE, DAO, 0);
        vote(round, votes(true, false, false));
        judge(round);
        ends(round, IGradientVote.Verdict.Right);
        eq(token.balanceOf(ownerOf(SUPERLINK_KEY)), 0);
    }

    function test_judge__fewer_than_three_votes_or_a_tie__undecided() public {
        uint64 round = accused();
        bool[] memory two = new bool[](2);
        (two[0], two[1]) = (true, true);
        vote(round, two);
        judge(round);
        ends(round, IGradientVote.Verdict.Undecided);
        eq(phase(round), IRounds.Phase.Posted);
        eq(stakeOf(0), STAKE);
        challenge(round); // the DAO decides, as without a jury

        registerKey(key(3), STAKE);
        join(3);
        resolve(round, true);
        skip(1);
        round = open();
        close(round, 3, 1);
        post(round);
        accuse(round, 0);
        bool[] memory all = new bool[](4);
        (all[0], all[1]) = (true, true);
        vote(round, all);
        judge(round);
        ends(round, IGradientVote.Verdict.Undecided);
    }

    function test_judge__fewer_than_half_of_the_jurors__undecided() public {
        for (uint256 i = 3; i < 8; ++i) {
            registerKey(key(i), STAKE);
            join(i);
        }
        skip(1);
        uint64 round = open();
        close(round, 3, 5);
        post(round);
        accuse(round, 0);
        vote(round, votes(true, true, true));
        judge(round);
        ends(round, IGradientVote.Verdict.Undecided);
    }

    function test_judge__before_its_time__only_once_all_are_heard() public {
        uint64 round = accused();
        IGradientVote.GradientCase memory c = jury.caseOf(task, round);
        no(ANYONE, judgeCall(round), tooEarly(c.revealEnd));
        for (uint256 i = 0; i < 3; ++i) commitVote(round, i, true);
        vm.warp(c.commitEnd);
        revealVote(round, 0, true);
        revealVote(round, 1, true);
        no(ANYONE, judgeCall(round), tooEarly(c.revealEnd));
        revealVote(round, 2, true);
        judge(round);
        ends(round, IGradientVote.Verdict.Wrong);
    }

    function test_judge__nobody_committed__not_before_its_time() public {
        uint64 round = accused();
        IGradientVote.GradientCase memory c = jury.caseOf(task, round);
        vm.warp(c.revealEnd - 1);
        no(ANYONE, judgeCall(round), tooEarly(c.revealEnd));
        vm.warp(c.revealEnd);
        judge(round);
        ends(round, IGradientVote.Verdict.Undecided);
    }

    function test_judge__round_is_void_by_then__lapsed() public {
        uint64 round = accused();
        vm.prank(superlink);
        coordinator.concede(task, round);
        vote(round, votes(false, false, true));
        judge(round);
        ends(round, IGradientVote.Verdict.Lapsed);
        eq(stakeOf(0), STAKE);
        noFine(round, node(2));
    }

    function test_judge__round_is_final_by_then__nothing_but_the_bond_is_at_stake() public {
        uint64 wrong = accused();
        vote(wrong, votes(true, true, true));
        skip(CHALLENGE);
        finalize(wrong);
        judge(wrong);
        ends(wrong, IGradientVote.Verdict.Wrong);
        eq(phase(wrong), IRounds.Phase.Finalized);
        eq(registry.stakeOf(superlink), 1000 ether);
        uint64 right = accused();
        vote(right, votes(false, false, false));
        skip(CHALLENGE);
        finalize(right);
        judge(right);
        ends(right, IGradientVote.Verdict.Right);
        eq(stakeOf(0), STAKE - BOND);
    }

    // Fines

    function test_fine__minority_and_absent__lose_a_hundredth_of_the_minimum_stake() public {
        registerKey(key(3), STAKE);
        registerKey(key(4), STAKE);
        join(3);
        join(4);
        skip(1);
        uint64 round = open();
        close(round, 3, 2);
        post(round);
        accuse(round, 0);
        noFine(round, node(4)); // the case is under way
        commitVote(round, 3, true);
        vote(round, votes(true, true, false));
        judge(round);
        ends(round, IGradientVote.Verdict.Wrong);
        uint256 supply = token.totalSupply();
        vm.expectEmit();
        emit IGradientVote.JurorFined(task, round, node(2), FINE);
        fine(round, 2); // the minority
        fine(round, 3); // committed, and did not reveal
        fine(round, 4); // did neither
        for (uint256 i = 2; i < 5; ++i) {
            eq(stakeOf(i), STAKE - FINE);
            noFine(round, node(i));
        }
        eq(token.balanceOf(ANYONE), (3 * FINE) / 2);
        eq(token.totalSupply(), supply - (3 * FINE) / 2);
        noFine(round, node(0));
        noFine(round, node(1));
        noFine(round, superlink);
    }

    function test_fine__found_right__those_who_said_wrong() public {
        uint64 round = accused();
        vote(round, votes(true, false, false));
        judge(round);
        fine(round, 0);
        noFine(round, node(1));
    }

    function test_fine__undecided__those_who_did_not_vote() public {
        uint64 round = accused();
        bool[] memory two = new bool[](2);
        two[0] = true;
        vote(round, two);
        judge(round);
        fine(round, 2);
        noFine(round, node(0));
        noFine(round, node(1));
    }

    // To Disputes it is a prover

    function test_check__without_a_majority__not_guilty() public {
        uint64 round = accused();
        bytes memory expected = abi.encodeWithSelector(IProver.NotGuilty.selector);
        refusesEarly(round, result(round), statement(round), expected);
        judge(round);
        eq(token.balanceOf(node(0)), BOND);
        bytes memory data = abi.encodeCall(
            IProver.check,
            (IProver.Case(task, round, result(round), statement(round)), 1, "")
        );
        no(ANYONE, data, expected);
    }

    /// @dev Who announced the jury's proof before its votes were there takes nothing of the accuser's.
    function refusesEarly(
        uint64 round,
        IRounds.Result memory stated,
        IStatements.Statement memory statement_,
        bytes memory expected
    ) private {
        bytes32 proof = keccak256(abi.encode(address(jury), uint8(0), task, round, bytes("")));
        vm.prank(ANYONE);
        disputes.announce(keccak256(abi.encode(ANYONE, proof)));
        vm.roll(block.number + 1);
        vote(round, votes(true, true, true));
        bytes memory data = abi.encodeCall(
            IDisputes.convict,
            (address(jury), 0, task, round, stated, statement_, "")
        );
        refuses(ANYONE, address(disputes), data, expected);
    }
}
