// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { SignedMath } from "@openzeppelin/contracts/utils/math/SignedMath.sol";

import { Float } from "../Float.sol";

/// @title The codec float32 (docs/protocol.md, "Update codecs"): 256 big-endian float32, all multiples of 2^-32 below 64
library Float32 {
    /// @notice Bytes of a chunk.
    uint256 internal constant LEAF = 1024;

    uint256 private constant FRACTION = 0x7fffff;
    uint256 private constant GRID = 118; // biased exponent of a float32 whose last place is 2^-32
    uint256 private constant LIMIT = 133; // that of 64
    uint256 private constant BITS = 24; // significant ones

    /// @notice Reads a value of a chunk.
    /// @param leaf the chunk
    /// @param index the value, 0 to 255
    /// @return q the value on the grid 2^-32; of no meaning where it is not valid
    /// @return valid whether a decoder takes it
    function read(bytes calldata leaf, uint256 index) internal pure returns (int256 q, bool valid) {
        uint256 bits = uint32(bytes4(leaf[4 * index:]));
        uint256 exponent = (bits >> 23) & 0xff;
        uint256 size = bits & FRACTION;
        if (exponent == 0) return (0, size == 0); // both zeros; what is smaller than any other value is no multiple
        size += FRACTION + 1;
        unchecked {
            if (exponent < GRID) {
                uint256 below = GRID - exponent;
                valid = (size >> below) << below == size;
                size >>= below;
            } else {
                valid = exponent < LIMIT;
                size <<= exponent - GRID;
            }
        }
        q = bits >> 31 == 0 ? int256(size) : -int256(size);
    }

    /// @notice Returns whether a value of a chunk is what an encoder makes of it: the nearest float32, half to even.
    /// @param leaf the chunk
    /// @param index the value, 0 to 255
    /// @param value what was encoded, on the grid 2^-32
    function isEncoded(bytes calldata leaf, uint256 index, int256 value) internal pure returns (bool) {
        uint256 bits = uint32(bytes4(leaf[4 * index:]));
        if (value == 0) return bits == 0;
        uint256 size = Float.round(SignedMath.abs(value), BITS);
        uint256 top = Math.log2(size);
        uint256 exponent = GRID + top - (BITS - 1);
        size = top < BITS ? size << (BITS - 1 - top) : size >> (top - (BITS - 1));
        uint256 sign = value < 0 ? 1 << 31 : 0;
        return exponent < LIMIT && bits == sign | (exponent << 23) | (size & FRACTION);
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
        // a step of `Dots` costs 10.7M gas in Solidity, so 3.0M
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let digit := digits.offset
            for {
                let at := leaf.offset
                let end := add(at, LEAF)
            } lt(at, end) {
                at := add(at, 4)
                digit := add(digit, 2)
            } {
                let bits := calldataload(at)
                let exponent := and(shr(247, bits), 0xff)
                let size := or(and(shr(224, bits), FRACTION), shl(23, gt(exponent, 0)))
                // the shift that is not meant is by so much that nothing is left
                size := or(shl(sub(exponent, GRID), size), shr(sub(GRID, exponent), size))
                let sign := sar(255, bits)
                let value := sub(xor(size, sign), sign)
                dot := add(dot, mul(value, sar(240, calldataload(digit))))
                square := add(square, mul(value, value))
            }
        }
    }
    // slither-disable-end assembly
}
