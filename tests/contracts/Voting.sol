// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { GradientVote } from "../../contracts/GradientVote.sol";
import { IGradientVote } from "../../contracts/interfaces/IGradientVote.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev The jury, in the set of provers and a slasher, and the steps of a case.
abstract contract Voting is RoundCalls {
    uint32 internal constant MOVE = CHALLENGE / 8;
    bytes32 internal constant SALT = keccak256("salt");
    uint256 internal constant FINE = MINIMUM / 100;

    GradientVote internal jury;

    function setUp() public virtual override {
        super.setUp();
        bytes memory arguments = abi.encode(token, registry, coordinator, disputes);
        jury = GradientVote(deploy("GradientVote", arguments));
        vm.prank(DAO);
        disputes.setProver(address(jury), true);
        vm.prank(DAO);
        registry.setSlasher(address(jury), true);
        skip(1);
    }

    /// @dev The node's operator accuses the gradients, and the block after that is over.
    function accuse(uint64 round, uint256 i) internal {
        bytes32 result = resultHashOf(round);
        vm.prank(node(i));
        jury.accuse(task, round, result);
        skip(1);
        skip(1);
    }

    function accused() internal returns (uint64 round) {
        round = posted();
        accuse(round, 0);
    }

    function resultHashOf(uint64 round) internal view returns (bytes32) {
        return coordinator.roundOf(task, round).resultHash;
    }

    function encodeAccuse(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(IGradientVote.accuse, (task, round, resultHashOf(round)));
    }

    function encodeVote(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(IGradientVote.commitVote, (task, round, resultHashOf(round), SALT));
    }

    function hashVote(uint64 round, address juror, bool wrong) internal view returns (bytes32) {
        return keccak256(abi.encode(juror, task, round, wrong, SALT));
    }

    function commitVote(uint64 round, uint256 i, bool wrong) internal {
        bytes32 result = resultHashOf(round);
        vm.prank(node(i));
        jury.commitVote(task, round, result, hashVote(round, node(i), wrong));
    }

    function revealVote(uint64 round, uint256 i, bool wrong) internal {
        vm.prank(node(i));
        jury.revealVote(task, round, wrong, SALT);
    }

    /// @dev The first nodes vote, each as told, up to the judgement; nodes that are beyond the votes are absent.
    function vote(uint64 round, bool[] memory all) internal {
        for (uint256 i = 0; i < all.length; ++i) commitVote(round, i, all[i]);
        skip(MOVE);
        for (uint256 i = 0; i < all.length; ++i) revealVote(round, i, all[i]);
        skip(MOVE);
    }

    function votes(bool a, bool b, bool c) internal pure returns (bool[] memory all) {
        all = new bool[](3);
        (all[0], all[1], all[2]) = (a, b, c);
    }

    function judgeCall(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(IGradientVote.judge, (task, round));
    }

    function judge(uint64 round) internal {
        vm.prank(ANYONE);
        jury.judge(task, round);
    }

    function verdict(uint64 round) internal view returns (uint256) {
        return uint256(jury.caseOf(task, round).verdict);
    }

    function ends(uint64 round, IGradientVote.Verdict expected) internal view {
        eq(verdict(round), uint256(expected));
        eq(token.balanceOf(address(jury)), 0);
        eq(jury.bondsOf(jury.caseOf(task, round).accuser), 0);
    }

    function stakeOf(uint256 i) internal view returns (uint256) {
        return registry.stakeOf(node(i));
    }

    function fine(uint64 round, uint256 i) internal {
        vm.prank(ANYONE);
        jury.fine(task, round, node(i));
    }

    function no(address sender, bytes memory data, bytes memory expected) internal {
        refuses(sender, address(jury), data, expected);
    }

    function noFine(uint64 round, address juror) internal {
        bytes memory expected = abi.encodeWithSelector(IGradientVote.NotFinable.selector, juror);
        no(ANYONE, abi.encodeCall(IGradientVote.fine, (task, round, juror)), expected);
    }

    function noCase(uint64 round) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IGradientVote.NoCase.selector, task, round);
    }
}
