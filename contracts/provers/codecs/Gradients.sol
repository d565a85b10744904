// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { SignedMath } from "@openzeppelin/contracts/utils/math/SignedMath.sol";

import { Float } from "../Float.sol";

/// @title Chunks of quantised gradients (docs/protocol.md, "Reference gradient"): 256 int16, then their exponent
library Gradients {
    uint256 private constant VALUES = 256;
    uint256 private constant DIGITS = 512; // bytes
    uint256 private constant LARGEST = 32767; // digit
    uint256 private constant LAST_EXPONENT = 47;
    uint256 private constant GRID = 101; // 2^-149 is so many bits below 2^-48
    uint256 private constant HUGE = 1 << (GRID + 64);

    /// @notice Returns whether a chunk is another than these values are quantised to.
    /// @param leaf its bytes; none where there is no such gradient, as if all its digits were 0
    /// @param values 256 of them, in 2^-149; one that no gradient has makes no chunk wrong
    /// @return whether it is
    function isOther(bytes calldata leaf, int256[] memory values) internal pure returns (bool) {
        uint256 most = 0;
        for (uint256 i = 0; i < VALUES; ++i) most = Math.max(most, SignedMath.abs(values[i]));
        if (most >= HUGE) return false;
        uint256 exponent = 0;
        while (Float.dropBits(most, GRID + exponent) > LARGEST) ++exponent;
        if (exponent > LAST_EXPONENT) return false;
        if (leaf.length == 0) return Float.dropBits(most, GRID) != 0;
        if (leaf.length != DIGITS + 1 || uint8(leaf[DIGITS]) != exponent) return true;
        for (uint256 i = 0; i < VALUES; ++i) {
            int256 digit = int256(Float.dropBits(SignedMath.abs(values[i]), GRID + exponent));
            if (int16(uint16(bytes2(leaf[2 * i:]))) != (values[i] < 0 ? -digit : digit)) return true;
        }
        return false;
    }

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
