// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title The arithmetic of a step and of a new model's value (docs/protocol.md, "Aggregate"), as IEEE 754 has it
/// @notice `float32(float64(base) + step)`, and what `step` is rounded from, by integers alone. A float32 is its 32 bits, a step
/// an integer on the grid 2^-32 and below 2^38. Why no result overflows or is subnormal but where the step is 0: a base value
/// of 2^-33 or more is a multiple of 2^-56, and so is then the sum; a smaller one is less than a step of 2^-32; and the largest
/// step, 64, is far below half of a last place of the largest float32.
library Float {
    uint256 private constant DOUBLE = 53; // significant bits
    uint256 private constant SINGLE = 24;
    uint256 private constant FRACTION = 0x7fffff;
    uint256 private constant NOT_FINITE = 0xff; // exponent of infinities and of what is no number
    uint256 private constant MODEST = 200; // exponent of 2^73
    /// @dev The biased exponent of a float32 whose last place is 2^-32.
    uint256 private constant GRID = 118;

    /// @notice Whether the value is a number, and no infinity.
    function isFinite(uint32 value) internal pure returns (bool) {
        return (value >> 23) & 0xff != NOT_FINITE;
    }

    /// @notice Whether the value is below 2^73 in size, so that a difference of two has few enough bits.
    function isModest(uint32 value) internal pure returns (bool) {
        return (value >> 23) & 0xff < MODEST;
    }

    /// @notice Subtracts as float32 does.
    /// @param left a modest value
    /// @param right another
    /// @return the difference in 2^-149, rounded to a float32
    function subtract(uint32 left, uint32 right) internal pure returns (int256) {
        unchecked {
            int256 exact = _toFixed(left) - _toFixed(right);
            if (exact == 0) return 0;
            int256 size = int256(round(uint256(exact < 0 ? -exact : exact), SINGLE));
            return exact < 0 ? -size : size;
        }
    }

    /// @notice Divides, rounding half to even.
    /// @param dividend the dividend
    /// @param divisor the divisor, above 0
    function divide(int256 dividend, int256 divisor) internal pure returns (int256 quotient) {
        unchecked {
            quotient = dividend / divisor;
            int256 rest = dividend % divisor;
            if (rest < 0) (rest, quotient) = (rest + divisor, quotient - 1);
            if (2 * rest + (quotient & 1) > divisor) ++quotient;
        }
    }

    /// @notice Divides by 2^`drop`, rounding half to even.
    function dropBits(uint256 value, uint256 drop) internal pure returns (uint256) {
        unchecked {
            return drop == 0 ? value : (value + (1 << (drop - 1)) - 1 + ((value >> drop) & 1)) >> drop;
        }
    }

    /// @notice Returns the new model's value.
    /// @param base the base model's value, which must be finite
    /// @param step the step, below 2^38 in size
    function move(uint32 base, int256 step) internal pure returns (uint32) {
        unchecked {
            uint256 exponent = (base >> 23) & 0xff;
            // the only zero that a sum of a zero and +0.0, or of opposites, gives is +0.0
            if (step == 0) return exponent == 0 && base & FRACTION == 0 ? 0 : base;
            int256 sum = int256(base & FRACTION);
            if (exponent == 0) exponent = 1;
            else sum += int256(FRACTION + 1);
            if (base >> 31 == 1) sum = -sum;

            // over the smaller of both last places: at most 167 bits
            if (exponent > GRID) (sum, exponent) = ((sum << (exponent - GRID)) + step, GRID);
            else sum += step << (GRID - exponent);
            if (sum == 0) return 0;

            uint256 size = round(round(uint256(sum < 0 ? -sum : sum), DOUBLE), SINGLE);
            uint256 top = Math.log2(size);
            exponent += top - (SINGLE - 1);
            size = top < SINGLE ? size << (SINGLE - 1 - top) : size >> (top - (SINGLE - 1));
            return uint32((sum < 0 ? 1 << 31 : 0) | (exponent << 23) | (size & FRACTION));
        }
    }

    /// @notice Rounds a positive number to its highest `bits` bits, half to even.
    function round(uint256 value, uint256 bits) internal pure returns (uint256) {
        unchecked {
            uint256 size = Math.log2(value) + 1;
            return size <= bits ? value : dropBits(value, size - bits) << (size - bits);
        }
    }
    /// @dev Returns a modest value in 2^-149.
    function _toFixed(uint32 value) private pure returns (int256 number) {
        unchecked {
            uint256 exponent = (value >> 23) & 0xff;
            number = int256(value & FRACTION);
            if (exponent != 0) number = (number + int256(FRACTION + 1)) << (exponent - 1);
            if (value >> 31 == 1) number = -number;
        }
    }
}
