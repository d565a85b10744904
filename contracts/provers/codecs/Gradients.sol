// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Chunks of quantised gradients (docs/protocol.md, "Reference gradient"): 256 int16, then their exponent
library Gradients {
    uint256 private constant DIGITS = 512; // bytes

    // slither-disable-start assembly (see there)
    /// @notice Multiplies two chunks exactly.
    /// @param left a chunk of 513 bytes
    /// @param right another
    /// @return dot sum of integer times integer, times two to the power of both exponents, in two's complement
    function multiply(bytes calldata left, bytes calldata right) internal pure returns (int256 dot) {
        // a step of `Dots` has 8,192 products
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let other := right.offset
            for {
                let at := left.offset
                let end := add(at, DIGITS)
            } lt(at, end) {
                at := add(at, 32)
                other := add(other, 32)
            } {
                let some := calldataload(at)
                let others := calldataload(other)
                for {
                    let i := 0
                } lt(i, 16) {
                    i := add(i, 1)
                } {
                    dot := add(dot, mul(sar(240, some), sar(240, others)))
                    some := shl(16, some)
                    others := shl(16, others)
                }
            }
        }
        return dot << (uint256(uint8(left[DIGITS])) + uint8(right[DIGITS]));
    }
    // slither-disable-end assembly
}
