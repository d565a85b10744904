// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../interfaces/IProver.sol";
import { Float32 } from "./Float32.sol";
import { Int8 } from "./Int8.sol";

/// @title The update codecs, by their number in a task's rules
library Codecs {
    uint8 private constant INT8 = 0;
    uint8 private constant FLOAT32 = 1;

    /// @notice Returns the bytes of a chunk.
    function leafOf(uint8 codec) internal pure returns (uint256) {
        if (codec == INT8) return Int8.LEAF;
        if (codec == FLOAT32) return Float32.LEAF;
        revert IProver.BadShape();
    }

    /// @notice Reads a value of a chunk.
    /// @param codec the codec
    /// @param leaf the chunk, of the codec's length
    /// @param index the value, 0 to 255
    /// @return q the value on the grid 2^-32; of no meaning where it is not valid
    /// @return valid whether a decoder takes it
    function read(
        uint8 codec,
        bytes calldata leaf,
        uint256 index
    ) internal pure returns (int256 q, bool valid) {
        return codec == INT8 ? Int8.read(leaf, index) : Float32.read(leaf, index);
    }

    /// @notice Returns how many values are encoded together.
    function groupOf(uint8 codec) internal pure returns (uint256) {
        return codec == INT8 ? Int8.BLOCK : 1;
    }

    /// @notice Returns whether a value of a chunk is what an encoder makes of it.
    /// @param codec the codec
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

    /// @notice Multiplies a chunk with a chunk of a gradient's integers, and with itself; of a valid chunk exactly.
    /// @param codec the codec
    /// @param leaf the chunk, of the codec's length
    /// @param digits 256 int16
    /// @return dot sum of value times integer
    /// @return square sum of value times value
    function multiply(
        uint8 codec,
        bytes calldata leaf,
        bytes calldata digits
    ) internal pure returns (int256 dot, uint256 square) {
        return codec == INT8 ? Int8.multiply(leaf, digits) : Float32.multiply(leaf, digits);
    }
}
