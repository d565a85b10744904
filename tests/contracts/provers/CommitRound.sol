// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { CommitsProver } from "../../../contracts/provers/CommitsProver.sol";
import { Proving } from "./Proving.sol";

/// @dev A closed round of few commits and passes, honest until a test has it lie, and the proofs of it.
abstract contract CommitRound is Proving {
    uint8 internal constant ORDER = 0;
    uint8 internal constant COUNT = 1;
    uint8 internal constant KIND = 2;
    uint8 internal constant SIGNATURE = 3;
    uint8 internal constant MEMBER = 4;
    uint8 internal constant FORCED = 5;
    uint8 internal constant RECEIPT = 6;
    uint8 internal constant EARLY = 7;
    uint8 internal constant CLAIMS = 8;

    uint256 internal constant SUPERLINK_KEY = 0x5717;
    uint256 internal constant FIRST_KEY = 0xbeef00;
    uint256 internal constant LEAF = 118;
    uint32 internal constant COMMIT_PERIOD = 60;
    uint32 internal constant CLOSE_AFTER = 20;

    uint256[] internal _keys; // in the order of their nodes
    bytes[] internal _leaves;
    bytes internal _forcedList; // node and commitment of each
    uint256 internal _forcedCount;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new CommitsProver(coordinator);
    }

    // An honest round: `inTree` nodes committed or passed, as the bits say, `forced` others committed on chain

    function play(uint256 inTree, uint256 passBits, uint256 forced) internal {
        sortKeys(inTree + forced);
        rules.superlink = vm.addr(SUPERLINK_KEY);
        (rules.commitPeriod, rules.closeAfter, rules.closeShare) = (COMMIT_PERIOD, CLOSE_AFTER, 100);
        chain.setRules(rules);
        state.opening = keccak256("opening");
        (state.openedAt, state.closedAt) = (1000, 1000 + COMMIT_PERIOD);
        state.eligible = uint32(inTree + forced);
        for (uint256 i = 0; i < inTree + forced; ++i) {
            chain.setMember(ROUND, node(i), true);
            // those at even places first, so that forced ones are between others
            bool here = i % 2 == 0 ? _leaves.length < inTree : i / 2 >= forced;
            if (!here) force(node(i), commitment(i));
            else if ((passBits >> i) & 1 == 1) _leaves.push(pass(i));
            else {
                _leaves.push(commit(i));
                ++state.commits;
            }
        }
        restate();
    }

    function restate() internal {
        accused.result.commitsRoot = rootOf(hashesOf(_leaves), ROWS_DEPTH);
        accused.statement.rows = state.commits + uint32(_forcedCount);
        chain.setRound(ROUND, state);
        chain.setForced(_forcedCount);
    }

    function force(address node_, bytes32 commitment_) internal {
        bytes32 before = accused.result.forcedHash;
        accused.result.forcedHash = keccak256(abi.encode(before, node_, commitment_));
        _forcedList = abi.encodePacked(_forcedList, node_, commitment_);
        ++_forcedCount;
    }

    function sortKeys(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            _keys.push(FIRST_KEY + i);
            for (uint256 at = i; at > 0 && node(at - 1) > node(at); --at)
                (_keys[at - 1], _keys[at]) = (_keys[at], _keys[at - 1]);
        }
    }

    function node(uint256 i) internal view returns (address) {
        return vm.addr(_keys[i]);
    }

    function nodeOf(uint256 place) internal view returns (address) {
        return address(bytes20(_leaves[place]));
    }

    function keyOf(address node_) internal view returns (uint256 key) {
        for (uint256 i = 0; i < _keys.length; ++i) if (node(i) == node_) key = _keys[i];
    }

    function commitment(uint256 i) internal pure returns (bytes32) {
        return keccak256(abi.encode("commitment", i));
    }

    function commit(uint256 i) internal view returns (bytes memory) {
        return
            abi.encodePacked(node(i), uint8(0), commitment(i), signCommit(_keys[i], node(i), commitment(i)));
    }

    function pass(uint256 i) internal view returns (bytes memory) {
        bytes32 typehash = keccak256("Pass(uint64 task,uint64 round,bytes32 opening,address node)");
        bytes32 message = keccak256(abi.encode(typehash, TASK, ROUND, state.opening, node(i)));
        return abi.encodePacked(node(i), uint8(1), bytes32(0), sign(_keys[i], message));
    }

    function signCommit(uint256 key, address node_, bytes32 value) internal view returns (bytes memory) {
        return signFor("Commit", key, node_, value);
    }

    function signFor(
        string memory kind,
        uint256 key,
        address node_,
        bytes32 value
    ) internal view returns (bytes memory) {
        string memory members = "(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)";
        bytes32 typehash = keccak256(abi.encodePacked(kind, members));
        return sign(key, keccak256(abi.encode(typehash, TASK, ROUND, state.opening, node_, value)));
    }

    // Proofs

    function leafAt(uint256 index) internal view returns (bytes memory) {
        return abi.encodePacked(uint32(index), opened(_leaves, index, ROWS_DEPTH));
    }

    /// @dev A leaf and its siblings, or those of an absent one.
    function slot(uint256 index) internal view returns (bytes memory) {
        bytes memory path = pathOf(hashesOf(_leaves), index, ROWS_DEPTH);
        return
            index < _leaves.length
                ? abi.encodePacked(uint8(1), _leaves[index], path)
                : abi.encodePacked(uint8(0), path);
    }

    function proveOrder(uint256 first, uint256 second) internal view returns (bytes memory) {
        return abi.encodePacked(uint32(first), uint32(second), slot(first), slot(second));
    }

    function proveCount(uint256 index) internal view returns (bytes memory) {
        bytes32 hash = index < _leaves.length ? sha256(_leaves[index]) : bytes32(0);
        return abi.encodePacked(uint32(index), hash, pathOf(hashesOf(_leaves), index, ROWS_DEPTH));
    }

    function forcedList() internal view returns (bytes memory) {
        return abi.encodePacked(uint32(_forcedCount), _forcedList);
    }

    function proveForced(uint256 index) internal view returns (bytes memory) {
        return bytes.concat(leafAt(index), forcedList());
    }

    function absence(uint256 index) internal view returns (bytes memory) {
        bytes memory before = index == 0 ? bytes("") : slot(index - 1);
        return abi.encodePacked(forcedList(), uint32(index), before, slot(index));
    }

    /// @dev Where a node is in the tree, or would be.
    function placeOf(address node_) internal view returns (uint256 place, bool there) {
        while (place < _leaves.length && nodeOf(place) < node_) ++place;
        there = place < _leaves.length && nodeOf(place) == node_;
    }

    function proveReceipt(address node_, bytes32 value) internal view returns (bytes memory) {
        bytes memory signature = signFor("Receipt", SUPERLINK_KEY, node_, value);
        (uint256 place, bool there) = placeOf(node_);
        bytes memory rest = there ? leafAt(place) : absence(place);
        return abi.encodePacked(node_, value, signature, there, rest);
    }

    function proveEarly(address node_) internal view returns (bytes memory) {
        (uint256 place, ) = placeOf(node_);
        return abi.encodePacked(node_, absence(place));
    }
}
