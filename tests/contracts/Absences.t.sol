// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IAbsences } from "../../contracts/interfaces/IAbsences.sol";
import { IChallenges } from "../../contracts/interfaces/IChallenges.sol";
import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { IProver } from "../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { BodyTree } from "./BodyTree.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev Who does nothing in three rounds in a row is put to sleep by anyone, and nobody else is.
contract AbsencesTest is RoundCalls {
    uint256 private constant LEAF = 118;
    uint256 private _heard = 6; // nodes in the trees from now on, a bit each: all but node 0

    mapping(uint64 round => bytes32) private _roots;
    mapping(uint64 round => uint256) private _nodes; // in its tree
    mapping(uint64 round => bytes) private _results;
    mapping(uint64 round => bytes) private _forced;

    // Rounds with real trees

    function leaves(uint64 round) private view returns (bytes[] memory sorted) {
        uint256 count = 0;
        for (uint256 i = 0; i < NODES; ++i) if (_nodes[round] & (1 << i) != 0) ++count;
        sorted = new bytes[](count);
        address last = address(0);
        for (uint256 k = 0; k < count; ++k) {
            address next = address(type(uint160).max);
            for (uint256 i = 0; i < NODES; ++i)
                if (_nodes[round] & (1 << i) != 0 && node(i) > last && node(i) < next) next = node(i);
            sorted[k] = bytes.concat(abi.encodePacked(next), new bytes(LEAF - 20));
            last = next;
        }
    }

    function hashes(uint64 round) private view returns (bytes32[] memory all) {
        bytes[] memory sorted = leaves(round);
        all = new bytes32[](sorted.length);
        for (uint256 i = 0; i < all.length; ++i) all[i] = sha256(sorted[i]);
    }

    function play() private returns (uint64 round) {
        return play(NODES + 1);
    }

    /// @dev Plays a round in which one node may force its commit.
    function play(uint256 forcing) private returns (uint64 round) {
        round = open();
        _nodes[round] = _heard;
        if (forcing < NODES) {
            force(round, forcing);
            _forced[round] = abi.encodePacked(uint32(1), node(forcing), commitment(forcing, round));
        } else {
            _forced[round] = abi.encodePacked(uint32(0));
        }
        (bytes32 root, ) = BodyTree.open(hashes(round), 0, 20);
        skip(COMMIT);
        uint32 commits = uint32(leaves(round).length);
        close(round, root, commits, 0);
        skip(REVEAL);
        IRounds.Result memory r = result(round);
        (r.commitsRoot, r.revealed, r.inputs) = (root, commits, 1);
        post(round, r);
        _results[round] = abi.encode(r);
    }

    function slot(uint64 round, uint256 index) private view returns (bytes memory) {
        bytes[] memory sorted = leaves(round);
        (, bytes32[] memory path) = BodyTree.open(hashes(round), index, 20);
        if (index < sorted.length) return bytes.concat(hex"01", sorted[index], abi.encodePacked(path));
        return bytes.concat(hex"00", abi.encodePacked(path));
    }

    function absence(uint64 round, uint256 i) private view returns (bytes memory proof) {
        bytes[] memory sorted = leaves(round);
        uint256 index = 0;
        while (index < sorted.length && address(bytes20(sorted[index])) < node(i)) ++index;
        proof = bytes.concat(_forced[round], abi.encodePacked(uint32(index)));
        if (index != 0) proof = bytes.concat(proof, slot(round, index - 1));
        return bytes.concat(proof, slot(round, index));
    }

    function prove(uint64 last, uint256 i) private view returns (bytes memory proof) {
        for (uint64 round = last; round > 0 && round + 3 > last; --round)
            proof = bytes.concat(proof, _results[round], absence(round, i));
    }

    function sleepCall(uint64 last, uint256 i, bytes memory proof) private view returns (bytes memory) {
        return abi.encodeCall(IAbsences.sleep, (task, last, node(i), proof));
    }

    function sleep(uint64 last, uint256 i) private {
        disputes.sleep(task, last, node(i), prove(last, i));
    }

    function refusesSleep(uint64 last, uint256 i, bytes memory reason) private {
        refuses(ANYONE, address(disputes), sleepCall(last, i, prove(last, i)), reason);
    }

    function notAbsent(uint64 round, uint256 i) private view returns (bytes memory) {
        return abi.encodeWithSelector(IAbsences.NotAbsent.selector, task, round, node(i));
    }

    // Sleep

    function test_sleep__absent_from_three_rounds__takes_part_no_longer_until_it_joins() public {
        for (uint256 i = 0; i < 3; ++i) play();
        vm.expectEmit();
        emit IMembers.Left(task, node(0));
        sleep(3, 0);
        check(!coordinator.isJoined(task, node(0)));
        eq(disputes.sleptAfter(task, node(0)), 3);
        eq(coordinator.roundOf(task, play()).eligible, 2);
        join(0);
        eq(coordinator.roundOf(task, play()).eligible, 3);
    }

    function test_sleep__newest_result_but_one__is_enough() public {
        for (uint256 i = 0; i < 4; ++i) play();
        sleep(3, 0);
        check(!coordinator.isJoined(task, node(0)));
    }

    function test_sleep__older_rounds_or_two__refused() public {
        for (uint256 i = 0; i < 5; ++i) play();
        refusesSleep(3, 0, abi.encodeWithSelector(IAbsences.NotNewest.selector, task, uint64(3)));
        bytes memory proof = bytes.concat(_results[5], absence(5, 0), _results[4], absence(4, 0));
        refuses(
            ANYONE,
            address(disputes),
            sleepCall(5, 0, proof),
            abi.encodePacked(IProver.BadProof.selector)
        );
        proof = bytes.concat(prove(5, 0), hex"00");
        refuses(
            ANYONE,
            address(disputes),
            sleepCall(5, 0, proof),
            abi.encodePacked(IProver.BadProof.selector)
        );
    }

    function test_sleep__before_there_are_three__refused() public {
        play();
        play();
        bytes memory proof = bytes.concat(prove(2, 0), _results[2]);
        refuses(
            ANYONE,
            address(disputes),
            sleepCall(2, 0, proof),
            abi.encodePacked(IProver.BadProof.selector)
        );
    }

    function test_sleep__heard_in_one_of_the_rounds__refused() public {
        play();
        _heard = 7;
        play();
        _heard = 6;
        play();
        bytes memory reason = abi.encodePacked(IProver.BadProof.selector);
        refusesSleep(3, 0, reason);
        refusesSleep(3, 1, reason);
    }

    function test_sleep__forced_its_commit__refused() public {
        play();
        play(0);
        play();
        refusesSleep(3, 0, notAbsent(2, 0));
    }

    function test_sleep__no_member_of_one_of_the_rounds__refused() public {
        registerKey(key(7), STAKE);
        play();
        join(7);
        play();
        play();
        refusesSleep(3, 7, notAbsent(1, 7));
        play();
        sleep(4, 7);
    }

    function test_sleep__joined_anew__needs_three_more_rounds() public {
        for (uint256 i = 0; i < 3; ++i) play();
        sleep(3, 0);
        join(0);
        refusesSleep(3, 0, notAbsent(3, 0));
        play();
        play();
        refusesSleep(5, 0, notAbsent(3, 0));
        play();
        sleep(6, 0);
    }

    function test_sleep__round_that_is_void__does_not_count() public {
        for (uint256 i = 0; i < 3; ++i) play();
        vm.prank(superlink);
        coordinator.concede(task, 3);
        refusesSleep(3, 0, abi.encodeWithSelector(IAbsences.NotNewest.selector, task, uint64(3)));
    }

    function test_sleep__has_left__refused() public {
        for (uint256 i = 0; i < 3; ++i) play();
        vm.prank(node(0));
        coordinator.leave(task, node(0));
        refusesSleep(3, 0, notJoined(0));
    }

    function test_dismiss__by_anyone_else__refused() public {
        bytes memory call = abi.encodeCall(IMembers.dismiss, (task, node(0)));
        refuses(ANYONE, call, abi.encodeWithSelector(IChallenges.NotDisputes.selector, ANYONE));
    }
}
