// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { SignedMath } from "@openzeppelin/contracts/utils/math/SignedMath.sol";

import { Float } from "../Float.sol";

/// @title The codec int8 (docs/protocol.md, "Update codecs"): 256 int8, then an exponent for each 64 of them
library Int8 {
    /// @notice Bytes of a chunk.
    uint256 internal constant LEAF = 260;

    /// @notice Values that share an exponent.
    uint256 internal constant BLOCK = 64;

    uint256 private constant VALUES = 256;
    uint256 private constant DIGITS = 7; // bits, without the sign
    uint256 private constant MAX_EXPONENT = 31;

    /// @notice Reads a value of a chunk.
    /// @param leaf the chunk
    /// @param index the value, 0 to 255
    /// @return q the value on the grid 2^-32; of no meaning where it is not valid
    /// @return valid whether a decoder takes it
    function read(bytes calldata leaf, uint256 index) internal pure returns (int256 q, bool valid) {
        int8 digit = int8(uint8(leaf[index]));
        uint8 exponent = uint8(leaf[VALUES + index / BLOCK]);
        return (int256(digit) << exponent, digit != type(int8).min && exponent <= MAX_EXPONENT);
    }

    /// @notice Returns whether a value of a chunk is what an encoder makes of it: the least exponent for which all of its block
    /// fit, and the integer nearest to the value over that power of two, half to even.
    /// @param leaf the chunk
    /// @param index the value, 0 to 255
    /// @param block_ the values of its block, on the grid 2^-32
    function isEncoded(
        bytes calldata leaf,
        uint256 index,
        int256[] memory block_
    ) internal pure returns (bool) {
        uint256 largest = 0;
        for (uint256 i = 0; i < BLOCK; ++i) largest = Math.max(largest, SignedMath.abs(block_[i]));
        uint256 bits = Math.log2(largest) + 1;
        uint256 exponent = bits > DIGITS ? bits - DIGITS : 0;
        if (Float.dropBits(largest, exponent) >= 1 << DIGITS) ++exponent;
        int256 value = block_[index % BLOCK];
        int256 digit = int256(Float.dropBits(SignedMath.abs(value), exponent));
        return
            exponent <= MAX_EXPONENT &&
            uint8(leaf[VALUES + index / BLOCK]) == exponent &&
            int8(uint8(leaf[index])) == (value < 0 ? -digit : digit);
    }

    // slither-disable-start assembly (see there)
    /// @notice Multiplies a chunk with a chunk of a gradient's integers, and with itself; of a valid chunk exactly.
    /// @param leaf the chunk
    /// @param digits 256 int16
    /// @return dot sum of value times integer
    /// @return square sum of value times value
    function multiply(
        bytes calldata leaf,
        bytes calldata digits
    ) internal pure returns (int256 dot, uint256 square) {
        // a step of `Dots` costs 7.3M gas in Solidity, so 1.7M
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let at := leaf.offset
            let digit := digits.offset
            let exponents := calldataload(add(at, VALUES))
            for {
                let group := 0
            } lt(group, 4) {
                group := add(group, 1)
            } {
                let part := 0
                let own := 0
                for {
                    let end := add(at, BLOCK)
                } lt(at, end) {
                    at := add(at, 16)
                    digit := add(digit, 32)
                } {
                    let values := calldataload(at)
                    let others := calldataload(digit)
                    for {
                        let i := 0
                    } lt(i, 16) {
                        i := add(i, 1)
                    } {
                        let value := signextend(0, byte(i, values))
                        part := add(part, mul(value, sar(240, others)))
                        own := add(own, mul(value, value))
                        others := shl(16, others)
                    }
                }
                let exponent := byte(group, exponents)
                dot := add(dot, shl(exponent, part))
                square := add(square, shl(shl(1, exponent), own))
            }
        }
    }
    // slither-disable-end assembly
}
