// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The codec topk (docs/protocol.md, "Update codecs"): of 16 chunks 58 values with their places, then their exponent
library TopK {
    /// @notice Bytes of a leaf.
    uint256 internal constant LEAF = 117;

    /// @notice Chunks that a leaf has room for.
    uint256 internal constant CHUNKS = 16;

    uint256 private constant ENTRIES = 116; // bytes, 2 each
    uint256 private constant MAX_EXPONENT = 35;
    uint256 private constant GRADIENT = 513; // bytes of a chunk: 256 int16, exponent
    uint256 private constant DIGITS = 512;

    // slither-disable-start assembly (see there)
    // slither-disable-start incorrect-exp (xor is meant: it extends the sign of four bits)
    /// @notice Reads a value of a leaf. What a decoder does not take of a leaf makes all its values none.
    /// @param leaf the leaf
    /// @param index the value, 0 to 4,095
    /// @return q the value on the grid 2^-32; of no meaning where it is not valid
    /// @return valid whether a decoder takes it
    function read(bytes calldata leaf, uint256 index) internal pure returns (int256 q, bool valid) {
        uint256 exponent = uint8(leaf[ENTRIES]);
        // a proof of 128 inputs reads as many leaves from end to end
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            valid := iszero(gt(exponent, MAX_EXPONENT))
            let last := not(0)
            for {
                let at := leaf.offset
                let end := add(at, ENTRIES)
            } lt(at, end) {
                at := add(at, 2)
            } {
                let entry := shr(240, calldataload(at))
                let place := shr(4, entry)
                let digit := and(entry, 0x0f)
                valid := and(valid, and(sgt(place, last), sub(1, eq(digit, 8))))
                if eq(place, index) {
                    q := sub(xor(digit, 8), 8)
                }
                last := place
            }
        }
        q <<= exponent;
    }

    /// @notice Multiplies a leaf with the chunks of a gradient, and with itself; of a valid leaf exactly.
    /// @param leaf the leaf
    /// @param chunks the gradient's chunks side by side, up to 16; what they do not reach counts for nothing
    /// @return dot sum of value times integer times two to the power of its exponent
    /// @return square sum of value times value
    function multiply(
        bytes calldata leaf,
        bytes calldata chunks
    ) internal pure returns (int256 dot, uint256 square) {
        uint256 exponent = uint8(leaf[ENTRIES]);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let count := div(chunks.length, GRADIENT)
            for {
                let at := leaf.offset
                let end := add(at, ENTRIES)
            } lt(at, end) {
                at := add(at, 2)
            } {
                let entry := shr(240, calldataload(at))
                let digit := sub(xor(and(entry, 0x0f), 8), 8)
                square := add(square, mul(digit, digit))
                let chunk := shr(12, entry)
                if lt(chunk, count) {
                    let from := add(chunks.offset, mul(chunk, GRADIENT))
                    let other := sar(240, calldataload(add(from, and(shr(3, entry), 0x1fe))))
                    dot := add(dot, shl(byte(0, calldataload(add(from, DIGITS))), mul(digit, other)))
                }
            }
        }
        dot <<= exponent;
        square <<= 2 * exponent;
    }
    // slither-disable-end incorrect-exp
    // slither-disable-end assembly
}
