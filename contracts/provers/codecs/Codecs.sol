// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IProver } from "../../interfaces/IProver.sol";
import { Float32 } from "./Float32.sol";
import { Int8 } from "./Int8.sol";
import { TopK } from "./TopK.sol";

/// @title The update codecs, by their number in a task's rules
library Codecs {
    uint8 private constant INT8 = 0;
    uint8 private constant FLOAT32 = 1;
    uint8 private constant TOPK = 2;

    uint256 private constant CHUNK = 256; // values
    uint256 private constant DIGITS = 512; // bytes of a gradient's chunk before its exponent

    /// @notice Returns the bytes of a leaf.
    function leafOf(uint8 codec) internal pure returns (uint256) {
        if (codec == INT8) return Int8.LEAF;
        if (codec == FLOAT32) return Float32.LEAF;
        if (codec == TOPK) return TopK.LEAF;
        revert IProver.BadShape();
    }

    /// @notice Returns how many chunks a leaf has room for: a power of two, so that the leaves of a step are those of a subtree.
    function chunksOf(uint8 codec) internal pure returns (uint256) {
        return codec == TOPK ? TopK.CHUNKS : 1;
    }

    /// @notice Returns how many leaves hold so many chunks.
    function countOf(uint8 codec, uint256 chunks) internal pure returns (uint256) {
        return Math.ceilDiv(chunks, chunksOf(codec));
    }

    /// @notice Returns the codec of a round's step, which is not that of its updates where these leave values out.
    function ofSteps(uint8 codec) internal pure returns (uint8) {
        return codec == TOPK ? INT8 : codec;
    }

    /// @notice Reads a value of a leaf.
    /// @param codec the codec
    /// @param leaf the leaf, of the codec's length
    /// @param chunk the value's chunk, which the leaf holds
    /// @param value the value in its chunk, 0 to 255
    /// @return q the value on the grid 2^-32; of no meaning where it is not valid
    /// @return valid whether a decoder takes it
    function read(
        uint8 codec,
        bytes calldata leaf,
        uint256 chunk,
        uint256 value
    ) internal pure returns (int256 q, bool valid) {
        if (codec == INT8) return Int8.read(leaf, value);
        if (codec == FLOAT32) return Float32.read(leaf, value);
        return TopK.read(leaf, (chunk % TopK.CHUNKS) * CHUNK + value);
    }

    /// @notice Returns how many values of a step are encoded together.
    /// @param codec a codec of steps
    function groupOf(uint8 codec) internal pure returns (uint256) {
        return codec == INT8 ? Int8.BLOCK : 1;
    }

    /// @notice Returns whether a value of a step's chunk is what an encoder makes of it.
    /// @param codec a codec of steps
    /// @param leaf the chunk, of the codec's length
    /// @param index the value, 0 to 255
    /// @param group what was encoded together with it, on the grid 2^-32
    function isEncoded(
        uint8 codec,
        bytes calldata leaf,
        uint256 index,
        int256[] memory group
    ) internal pure returns (bool) {
        return codec == INT8 ? Int8.isEncoded(leaf, index, group) : Float32.isEncoded(leaf, index, group[0]);
    }

    /// @notice Multiplies a leaf with the chunks of a gradient; of a valid leaf exactly.
    /// @param codec the codec
    /// @param leaf the leaf, of the codec's length
    /// @param chunks as many of the gradient's as there are of those that the leaf has room for, side by side
    /// @return dot sum of value times integer, times two to the power of the integer's exponent
    function multiply(
        uint8 codec,
        bytes calldata leaf,
        bytes calldata chunks
    ) internal pure returns (int256 dot) {
        // slither-disable-start unused-return (one product of two)
        if (codec == TOPK) {
            (dot, ) = TopK.multiply(leaf, chunks);
            return dot;
        }
        (dot, ) = codec == INT8 ? Int8.multiply(leaf, chunks) : Float32.multiply(leaf, chunks);
        return dot << uint8(chunks[DIGITS]);
        // slither-disable-end unused-return
    }

    /// @notice Multiplies a leaf with itself; of a valid leaf exactly.
    /// @param codec the codec
    /// @param leaf the leaf, of the codec's length
    /// @return sum sum of value times value
    function square(uint8 codec, bytes calldata leaf) internal pure returns (uint256 sum) {
        // slither-disable-start unused-return (one product of two)
        if (codec == TOPK) (, sum) = TopK.multiply(leaf, leaf);
        else if (codec == INT8) (, sum) = Int8.multiply(leaf, leaf);
        else (, sum) = Float32.multiply(leaf, leaf);
        // slither-disable-end unused-return
    }
}
