// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title The arithmetic of a new model's value (docs/protocol.md, "Aggregate"), as IEEE 754 has it
/// @notice `float32(float64(base) + float64(T) * 2^-32)` with `T = A / W`, half to even, by integers alone. A float32 is its
/// 32 bits. Why no result overflows or is subnormal but where `T = 0`: a base value of 2^-33 or more is a multiple of 2^-56,
/// and so is then the sum; a smaller one is less than a step of 2^-32; and the largest step, 2^31, is far below half of a last
/// place of the largest float32.
library Float {
    uint256 private constant DOUBLE = 53; // significant bits
    uint256 private constant SINGLE = 24;
    uint256 private constant FRACTION = 0x7fffff;
    uint256 private constant NOT_FINITE = 0xff; // exponent of infinities and of what is no number
    /// @dev The biased exponent of a float32 whose last place is 2^-32.
    uint256 private constant GRID = 118;

    /// @notice Whether the value is a number, and no infinity.
    function isFinite(uint32 value) internal pure returns (bool) {
        return (value >> 23) & 0xff != NOT_FINITE;
    }

    /// @notice Returns the new model's value.
    /// @param base the base model's value, which must be finite
    /// @param total the aggregate's value A
    /// @param weightSum W; where it is 0 the model stays as it is
    function move(uint32 base, int64 total, uint32 weightSum) internal pure returns (uint32) {
        return weightSum == 0 ? base : _add(base, _divide(total, int256(uint256(weightSum))));
    }

    /// @dev Divides, rounding half to even; the divisor is positive.
    function _divide(int256 dividend, int256 divisor) private pure returns (int256 quotient) {
        unchecked {
            quotient = dividend / divisor;
            int256 rest = dividend % divisor;
            if (rest < 0) (rest, quotient) = (rest + divisor, quotient - 1);
            if (2 * rest + (quotient & 1) > divisor) ++quotient;
        }
    }

    /// @dev Adds `step` times 2^-32 to a value: in float64, then rounded to float32.
    function _add(uint32 base, int256 step) private pure returns (uint32) {
        unchecked {
            uint256 exponent = (base >> 23) & 0xff;
            // the only zero that a sum of a zero and +0.0, or of opposites, gives is +0.0
            if (step == 0) return exponent == 0 && base & FRACTION == 0 ? 0 : base;
            int256 sum = int256(base & FRACTION);
            if (exponent == 0) exponent = 1;
            else sum += int256(FRACTION + 1);
            if (base >> 31 == 1) sum = -sum;

            // over the smaller of both last places: at most 182 bits
            step = step < 0 ? -int256(_round(uint256(-step), DOUBLE)) : int256(_round(uint256(step), DOUBLE));
            if (exponent > GRID) (sum, exponent) = ((sum << (exponent - GRID)) + step, GRID);
            else sum += step << (GRID - exponent);
            if (sum == 0) return 0;

            uint256 size = _round(_round(uint256(sum < 0 ? -sum : sum), DOUBLE), SINGLE);
            uint256 top = Math.log2(size);
            exponent += top - (SINGLE - 1);
            size = top < SINGLE ? size << (SINGLE - 1 - top) : size >> (top - (SINGLE - 1));
            return uint32((sum < 0 ? 1 << 31 : 0) | (exponent << 23) | (size & FRACTION));
        }
    }

    /// @dev Rounds a positive number to its highest `bits` bits, half to even.
    function _round(uint256 value, uint256 bits) private pure returns (uint256) {
        unchecked {
            uint256 size = Math.log2(value) + 1;
            if (size <= bits) return value;
            uint256 drop = size - bits;
            return ((value + (1 << (drop - 1)) - 1 + ((value >> drop) & 1)) >> drop) << drop;
        }
    }
}
