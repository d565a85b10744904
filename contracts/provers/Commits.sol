// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { IRounds } from "../interfaces/IRounds.sol";
import { Cursor } from "./Cursors.sol";
import { ROWS_DEPTH } from "./Prover.sol";

/// @title Reads what a proof shows of a round's commits: docs/disputes.md, "CommitsProver"
library Commits {
    /// @dev Bytes of a leaf: node 20, kind 1, commitment 32, signature 65.
    uint256 internal constant LEAF = 118;
    /// @dev Stands for the node of an absent leaf: it is behind all others.
    uint256 internal constant NOBODY = type(uint256).max;

    /// @notice Reads whether there is a leaf at an index, and the leaf.
    /// @param cursor the proof
    /// @param root root of the tree of commits
    /// @param index the leaf's
    /// @return its node, as a number
    function takeNode(Cursor memory cursor, bytes32 root, uint256 index) internal view returns (uint256) {
        bool present = cursor.takeNumber(1) != 0;
        if (present) return uint160(bytes20(cursor.takeLeaf(LEAF, root, index, ROWS_DEPTH)));
        if (cursor.takeRoot(0, index, ROWS_DEPTH) != root) revert IProver.BadProof();
        return NOBODY;
    }

    /// @notice Reads all forced commits of a round.
    /// @param cursor the proof
    /// @param forcedHash what they chain to
    /// @param node a node
    /// @return forced whether the node's is one
    function takeForced(
        Cursor memory cursor,
        bytes32 forcedHash,
        address node
    ) internal pure returns (bool forced) {
        bytes32 chained = 0;
        for (uint256 count = cursor.takeNumber(4); count != 0; --count) {
            (address one, bytes32 commitment) = (cursor.takeAddress(), bytes32(cursor.takeNumber(32)));
            chained = keccak256(abi.encode(chained, one, commitment));
            if (one == node) forced = true;
        }
        if (chained != forcedHash) revert IProver.BadProof();
    }

    /// @notice Reads all forced commits, and where a node would be in the tree: the leaf there and the one before it.
    /// @param cursor the proof
    /// @param result the round's
    /// @param node the node
    /// @return whether it has neither a leaf, which these two show, nor a forced commit
    function takeAbsence(
        Cursor memory cursor,
        IRounds.Result memory result,
        address node
    ) internal view returns (bool) {
        bool forced = takeForced(cursor, result.forcedHash, node);
        uint256 index = cursor.takeNumber(4);
        bytes32 root = result.commitsRoot;
        if (index != 0 && takeNode(cursor, root, index - 1) >= uint160(node)) revert IProver.BadProof();
        if (takeNode(cursor, root, index) <= uint160(node)) revert IProver.BadProof();
        return !forced;
    }
}
