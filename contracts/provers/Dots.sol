// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IProver } from "../interfaces/IProver.sol";
import { Trees } from "../Trees.sol";
import { Codecs } from "./codecs/Codecs.sol";
import { Cursor } from "./Cursors.sol";
import { GRADIENT_LEAF } from "./Prover.sol";

/// @title Running totals of an update's products, in a tree of their own
/// @notice A product over a whole model is too much for a transaction; one over 32 chunks is not. So whoever states the product
/// of an update with a gradient, and its square, states what they have come to after each 32 chunks: leaf `k` of the tree of
/// totals is the product i256 ‖ the square u256 over the chunks up to 32 (k + 1). What is wrong at the end is wrong in a step.
/// No statement binds such trees yet.
library Dots {
    /// @notice Bytes of a leaf of totals.
    uint256 internal constant LEAF = 64;

    /// @dev Chunks of a step: 2^STEP.
    uint256 private constant STEP = 5;

    /// @notice What a tree of totals is of.
    struct Factors {
        bytes32 totals; // root of the tree of totals
        bytes32 body; // root of the update
        bytes32 gradient; // root of the gradient
        uint256 depth; // of update and gradient
        uint256 chunks; // of the model
        uint8 codec; // of the update
    }

    /// @dev What products have come to.
    struct Totals {
        int256 dot; // of the update with the gradient, in 2^-80
        uint256 square; // of the update with itself, in 2^-64
    }

    /// @dev The chunks of a step: the leaves of one subtree of update and gradient, the absent ones at its end left out.
    struct Step {
        uint256 index;
        uint256 height; // of the subtree
        uint256 depth; // of the tree above it, and of the tree of totals
        uint256 count; // of chunks
    }

    /// @notice Reads a step: its index, the totals before it, unless it is the first, and after it, then the chunks of the
    /// update and of the gradient, each with the siblings of the subtree that they are all leaves of.
    /// @param cursor the proof
    /// @param factors what the totals are of
    /// @return whether the totals differ by anything but what the chunks come to
    function takeWrongStep(Cursor memory cursor, Factors memory factors) internal view returns (bool) {
        Step memory step = _measure(factors, cursor.takeNumber(4));
        Totals memory before = Totals(0, 0);
        if (step.index != 0) before = _takeTotals(cursor, factors.totals, step.index - 1, step.depth);
        Totals memory afterwards = _takeTotals(cursor, factors.totals, step.index, step.depth);
        Totals memory added = _multiply(
            _takeChunks(cursor, factors.body, Codecs.leafOf(factors.codec), step),
            _takeChunks(cursor, factors.gradient, GRADIENT_LEAF, step),
            factors.codec
        );
        unchecked {
            // what is stated may be anything: a total that runs over is as wrong as another
            return
                afterwards.dot != before.dot + added.dot || afterwards.square != before.square + added.square;
        }
    }

    function _measure(Factors memory factors, uint256 index) private pure returns (Step memory) {
        uint256 height = Math.min(factors.depth, STEP);
        uint256 first = index << height;
        if (first >= factors.chunks) revert IProver.BadProof();
        return Step(index, height, factors.depth - height, Math.min(factors.chunks - first, 1 << height));
    }

    function _takeTotals(
        Cursor memory cursor,
        bytes32 root,
        uint256 index,
        uint256 depth
    ) private view returns (Totals memory) {
        return abi.decode(cursor.takeLeaf(LEAF, root, index, depth), (Totals));
    }

    function _takeChunks(
        Cursor memory cursor,
        bytes32 root,
        uint256 leaf,
        Step memory step
    ) private view returns (bytes calldata chunks) {
        chunks = cursor.takeBytes(step.count * leaf);
        bytes32[] memory hashes = new bytes32[](step.count);
        for (uint256 i = 0; i < hashes.length; ++i)
            hashes[i] = Trees.leafHash(chunks[i * leaf:(i + 1) * leaf]);
        bytes32[] calldata siblings = cursor.takeHashes(step.depth);
        if (Trees.climbBlock(hashes, step.height, step.index, siblings) != root) revert IProver.BadProof();
    }

    /// @dev Of values below 2^38 and gradients below 2^62 sums of 2^40 products stay below 2^140.
    function _multiply(
        bytes calldata update,
        bytes calldata gradient,
        uint8 codec
    ) private pure returns (Totals memory sum) {
        uint256 count = gradient.length / GRADIENT_LEAF;
        uint256 leaf = update.length / count;
        for (uint256 i = 0; i < count; ++i) {
            bytes calldata chunk = gradient[i * GRADIENT_LEAF:(i + 1) * GRADIENT_LEAF];
            (int256 dot, uint256 square) = Codecs.multiply(codec, update[i * leaf:(i + 1) * leaf], chunk);
            unchecked {
                sum.dot += dot << uint8(chunk[GRADIENT_LEAF - 1]);
                sum.square += square;
            }
        }
    }
}
