// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDemands } from "../../contracts/interfaces/IDemands.sol";
import { IGradientVote } from "../../contracts/interfaces/IGradientVote.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Demanding } from "./Demanding.sol";
import { Voting } from "./Voting.sol";

/// @dev Cases that begin in the last second in which they may, of a round that took as long as it may, while the stake that is to
/// answer for it has been unbonding since the round opened.
contract LateCasesTest is Demanding, Voting {
    uint256 private _released; // when the stake that left may be withdrawn

    function setUp() public override(Demanding, Voting) {
        super.setUp();
    }

    /// @dev Posts a result as late as may be, of a round in whose first block all of these stakes began to leave.
    function postLate(uint256[] memory operators) private returns (uint64 round) {
        ITasks.TaskRules memory r = rules();
        r.challengePeriod = uint32(UNBONDING) - 1 - COMMIT - RESULT - REVEAL - RESULT - RESOLVE;
        change(r);
        round = open();
        for (uint256 i = 0; i < operators.length; ++i) {
            uint256 all = registry.stakeOf(vm.addr(operators[i]));
            vm.prank(ownerOf(operators[i]));
            registry.unbond(vm.addr(operators[i]), all);
        }
        _released = block.timestamp + UNBONDING;
        skip(COMMIT + RESULT);
        close(round, rootOf(IDemands.Tree.Commits), uint32(NODES), 0);
        stated = result(round);
        stated.commitsRoot = rootOf(IDemands.Tree.Commits);
        stated.accountsRoot = rootOf(IDemands.Tree.Accounts);
        stated.statement = keccak256(abi.encode(statement_));
        skip(REVEAL + RESULT);
        post(round, stated);
    }

    function list(uint256 a) private pure returns (uint256[] memory all) {
        all = new uint256[](1);
        all[0] = a;
    }

    function windowOf(uint64 round) private view returns (uint256) {
        return coordinator.rulesOfRound(task, round).challengePeriod;
    }

    function test_demand__last_second__the_superlinks_stake_is_still_there_when_it_convicts() public {
        uint64 round = postLate(list(SUPERLINK_KEY));
        uint256 move = windowOf(round) / 8;
        if (move > 6 hours) move = 6 hours;
        skip(windowOf(round) - 2 * move);
        IDemands.Place memory place = demandRow(round, 0);
        skip(move);
        check(block.timestamp < _released);
        expire(round, place);
        eq(phase(round), IRounds.Phase.Void);
        eq(registry.supernode(superlink).unbonding, 500 ether);
        skip(_released - block.timestamp);
        registry.withdraw(superlink);
        eq(token.balanceOf(ownerOf(SUPERLINK_KEY)), 500 ether);
    }

    function test_case__last_second__accuser_and_jurors_stakes_are_still_there_when_it_is_judged() public {
        uint256[] memory leaving = new uint256[](2);
        (leaving[0], leaving[1]) = (key(1), key(2));
        uint64 round = postLate(leaving);
        skip(windowOf(round) - 3 * 6 hours);
        accuse(round, 0);
        vm.prank(owner(0));
        registry.unbond(node(0), STAKE);
        commitVote(round, 0, true);
        commitVote(round, 1, false);
        commitVote(round, 2, false);
        vm.warp(jury.caseOf(task, round).commitEnd);
        revealVote(round, 0, true);
        revealVote(round, 1, false);
        revealVote(round, 2, false);
        check(block.timestamp < _released);
        jury.judge(task, round);
        ends(round, IGradientVote.Verdict.Right);
        eq(registry.supernode(node(0)).unbonding, STAKE - BOND);
        fine(round, 0);
        eq(registry.supernode(node(0)).unbonding, STAKE - BOND - FINE);
    }

    /// @dev A vote on provers changes nothing for a case that is open, one of the jury itself included.
    function test_jury__voted_out_while_its_case_is_open__convicts_all_the_same() public {
        uint64 round = accused();
        vm.prank(DAO);
        disputes.setProver(address(jury), false);
        vote(round, votes(true, true, true));
        judge(round);
        ends(round, IGradientVote.Verdict.Wrong);
        eq(phase(round), IRounds.Phase.Void);
        round = posted();
        bytes memory data = encodeAccuse(round);
        vm.prank(node(0));
        (bool done, ) = address(jury).call(data);
        check(!done);
    }

    /// @dev A proof, a demand and a case of one result at once: whichever is first convicts, once, and the others lose nothing.
    function test_case__result_falls_by_a_proof_meanwhile__all_have_their_bonds_back() public {
        uint64 round = postStated();
        accuse(round, 0);
        IDemands.Place memory place = demandRow(round, 0);
        uint256 coins_ = ACCUSER.balance;
        announce(round, "proof");
        vm.prank(ACCUSER);
        disputes.convict(address(prover), 0, task, round, stated, statement_, "proof");
        eq(registry.stakeOf(superlink), 500 ether);
        expire(round, place);
        eq(ACCUSER.balance, coins_ + LEAF_BOND);
        vote(round, votes(true, true, true));
        jury.judge(task, round);
        ends(round, IGradientVote.Verdict.Lapsed);
        eq(registry.stakeOf(superlink), 500 ether);
        eq(stakeOf(0), STAKE);
    }
}
