// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IProver } from "../interfaces/IProver.sol";
import { Trees } from "../Trees.sol";
import { Codecs } from "./codecs/Codecs.sol";
import { Gradients } from "./codecs/Gradients.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { GRADIENT_LEAF } from "./Prover.sol";

/// @title Running totals of products, in a tree of their own
/// @notice A product over a whole model is too much for a transaction; one over 32 chunks is not. So whoever states products
/// states what they have come to after each 32 chunks: leaf `k` of the tree of totals has, side by side, the products over the
/// chunks up to 32 (k + 1), 32 bytes of two's complement each. What is wrong at the end is wrong in a step.
library Dots {
    /// @dev What a factor is: an update of the codec with this number, or a quantised gradient.
    uint8 internal constant GRADIENT = type(uint8).max;

    uint256 private constant WORD = 32; // bytes of a total

    /// @dev Chunks of a step: 2^STEP.
    uint256 private constant STEP = 5;

    /// @notice A product, and where what it has come to is stated.
    struct Product {
        bytes32 totals; // root of the tree of totals
        uint256 width; // products side by side in its leaves
        uint256 column; // of this one
        bytes32 left; // root of one factor
        bytes32 right; // root of the other one, a gradient; 0: the product is a square
        uint8 kind; // of the left factor
        uint256 depth; // of the factors
        uint256 chunks; // that are multiplied, the first ones of each factor
        uint256 leftChunks; // all that the left factor has
    }

    /// @dev The chunks of a step: the leaves of one subtree of each factor, the absent ones at its end left out.
    struct Step {
        uint256 index;
        uint256 height; // of the subtree
        uint256 depth; // of the tree above it; where a leaf is a chunk, of the tree of totals too
        uint256 count; // of leaves
    }

    /// @notice Reads a step: its index, the totals before it, unless it is the first, and after it, then the chunks of each
    /// factor with the siblings of the subtree that they are all leaves of.
    /// @param cursor the proof
    /// @param product what the totals are of
    /// @return whether the totals differ by anything but what the chunks come to
    function takeWrongStep(Cursor memory cursor, Product memory product) internal view returns (bool) {
        Step memory step = _measure(product, cursor.takeNumber(4));
        uint256 before = step.index == 0 ? 0 : _takeTotal(cursor, product, step.index - 1, step.depth);
        uint256 afterwards = _takeTotal(cursor, product, step.index, step.depth);
        // an update goes on behind what is scored
        uint256 chunks = Math.min(product.leftChunks - (step.index << step.height), 1 << step.height);
        bytes calldata left = _takeLeaves(cursor, product, _widthOf(product), chunks, step);
        bytes calldata right = left;
        if (product.right != 0) right = _takeChunks(cursor, product.right, step);
        uint256 added = _multiply(product, left, right, step.count);
        unchecked {
            // what is stated may be anything: a total that runs over is as wrong as another
            return afterwards != before + added;
        }
    }

    /// @notice Reads the totals after the last step.
    /// @param cursor the proof
    /// @param product what the totals are of
    /// @return the product, in two's complement
    function takeEnd(Cursor memory cursor, Product memory product) internal view returns (uint256) {
        (uint256 depth, uint256 count) = measureTotals(product);
        return _takeTotal(cursor, product, count - 1, depth);
    }

    /// @notice Returns the depth of a tree of totals, and the number of its leaves.
    /// @param product what the totals are of
    /// @return depth the depth
    /// @return count the number of steps
    function measureTotals(Product memory product) internal pure returns (uint256 depth, uint256 count) {
        uint256 height = Math.min(product.depth, STEP);
        return (product.depth - height, Math.ceilDiv(product.chunks, 1 << height));
    }

    /// @notice Returns the bytes of a leaf of totals.
    /// @param product what the totals are of
    /// @return the number of bytes
    function leafOf(Product memory product) internal pure returns (uint256) {
        return WORD * product.width;
    }

    function _measure(Product memory product, uint256 index) private pure returns (Step memory) {
        uint256 height = Math.min(product.depth, STEP);
        uint256 first = index << height;
        if (first >= product.chunks) revert IProver.BadProof();
        return Step(index, height, product.depth - height, Math.min(product.chunks - first, 1 << height));
    }

    function _takeTotal(
        Cursor memory cursor,
        Product memory product,
        uint256 index,
        uint256 depth
    ) private view returns (uint256) {
        bytes calldata leaf = cursor.takeLeaf(leafOf(product), product.totals, index, depth);
        return uint256(bytes32(leaf[WORD * product.column:]));
    }

    /// @dev Reads the left factor's leaves of so many chunks of a step. A leaf with room for `width` chunks has a subtree that is
    /// lower by as much.
    function _takeLeaves(
        Cursor memory cursor,
        Product memory product,
        uint256 width,
        uint256 chunks,
        Step memory step
    ) private view returns (bytes calldata) {
        uint256 height = step.height - Math.min(step.height, Math.log2(width));
        Step memory lower = Step(step.index, height, product.depth - height, Math.ceilDiv(chunks, width));
        return _takeBlock(cursor, product.left, _leafOf(product), lower);
    }

    /// @dev Reads the right factor's chunks of a step.
    function _takeChunks(
        Cursor memory cursor,
        bytes32 root,
        Step memory step
    ) private view returns (bytes calldata) {
        return _takeBlock(cursor, root, GRADIENT_LEAF, step);
    }

    function _takeBlock(
        Cursor memory cursor,
        bytes32 root,
        uint256 leaf,
        Step memory step
    ) private view returns (bytes calldata leaves) {
        leaves = cursor.takeBytes(step.count * leaf);
        bytes32[] memory hashes = new bytes32[](step.count);
        for (uint256 i = 0; i < hashes.length; ++i)
            hashes[i] = Trees.leafHash(leaves[i * leaf:(i + 1) * leaf]);
        bytes32[] calldata siblings = cursor.takeHashes(step.depth);
        if (Trees.climbBlock(hashes, step.height, step.index, siblings) != root) revert IProver.BadProof();
    }

    /// @dev Bytes of a leaf of the left factor.
    function _leafOf(Product memory product) private pure returns (uint256) {
        return product.kind == GRADIENT ? GRADIENT_LEAF : Codecs.leafOf(product.kind);
    }

    /// @dev Chunks that such a leaf has room for.
    function _widthOf(Product memory product) private pure returns (uint256) {
        return product.kind == GRADIENT ? 1 : Codecs.chunksOf(product.kind);
    }

    /// @dev Of values below 2^38 and gradients below 2^62 sums of 2^40 products stay below 2^164. Of the right factor's chunks, those of
    /// the last leaf may be fewer than it has room for.
    function _multiply(
        Product memory product,
        bytes calldata left,
        bytes calldata right,
        uint256 count
    ) private pure returns (uint256 sum) {
        (Cursor memory leaves, Cursor memory chunks) = (Cursors.over(left), Cursors.over(right));
        uint256 one = _leafOf(product);
        uint256 other = product.right == 0 ? one : GRADIENT_LEAF * _widthOf(product);
        count = Math.ceilDiv(count, _widthOf(product));
        for (uint256 i = 0; i < count; ++i) {
            uint256 part = _multiplyLeaf(
                product,
                leaves.takeBytes(one),
                chunks.takeBytes(Math.min(other, chunks.left()))
            );
            unchecked {
                sum += part;
            }
        }
    }

    function _multiplyLeaf(
        Product memory product,
        bytes calldata left,
        bytes calldata right
    ) private pure returns (uint256) {
        if (product.kind == GRADIENT) return uint256(Gradients.multiply(left, right));
        if (product.right == 0) return Codecs.square(product.kind, left);
        return uint256(Codecs.multiply(product.kind, left, right));
    }
}
