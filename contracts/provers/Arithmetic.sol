// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { SignedMath } from "@openzeppelin/contracts/utils/math/SignedMath.sol";

/// @title The exact arithmetic of weights and scores: docs/protocol.md, "Weights" and "Scores"
/// @notice What true numbers never reach, no function computes: it says that the numbers cannot be true.
library Arithmetic {
    uint256 internal constant MILLION = 10 ** 6;

    /// @dev An update's values are below 2^38, a gradient's below 2^62, and there are at most 2^40 of them.
    uint256 private constant MAX_DOT = 1 << 140;
    uint256 private constant MAX_UPDATE_SQUARE = 1 << 116;
    uint256 private constant MAX_GRADIENT_SQUARE = 1 << 164;

    uint256 private constant PRODUCT_POWER = 80;

    /// @notice Returns whether a product of a gradient and an update is larger than any can be.
    /// @param dot the product, in 2^-80
    /// @return whether it is
    function isDotTooLarge(int256 dot) internal pure returns (bool) {
        return SignedMath.abs(dot) > MAX_DOT;
    }

    /// @notice Returns whether an update's square is larger than any can be.
    /// @param square the square, in 2^-64
    /// @return whether it is
    function isSquareTooLarge(uint256 square) internal pure returns (bool) {
        return square > MAX_UPDATE_SQUARE;
    }

    /// @notice Returns the cosine of two vectors in millionths, rounded down; 0 where one of them is 0.
    /// @param dot their product, at most 2^140
    /// @param square the square of one
    /// @param other the square of the other
    /// @return the cosine
    function cosine(int256 dot, uint256 square, uint256 other) internal pure returns (int256) {
        uint256 norms = Math.sqrt(square) * Math.sqrt(other);
        return norms == 0 ? int256(0) : floorDiv(dot * int256(MILLION), norms);
    }

    /// @notice Returns the part of a value along the last step for each unit of weight, rounded down; 0 without step or weight.
    /// @param along product of the gradient with the step
    /// @param square the step's square
    /// @param stepDot product of the step with the update
    /// @param weight the update's weight
    /// @param unitWeight its unit weight
    /// @return possible whether true numbers can have such a part
    /// @return part the part, in 2^-80
    function partAlong(
        int256 along,
        uint256 square,
        int256 stepDot,
        uint256 weight,
        uint256 unitWeight
    ) internal pure returns (bool possible, int256 part) {
        if (square == 0 || weight == 0) return (true, 0);
        if (unitWeight == 0 || square > MAX_GRADIENT_SQUARE || isDotTooLarge(stepDot)) return (false, 0);
        (uint256 a, uint256 b) = (SignedMath.abs(along), SignedMath.abs(stepDot) * weight);
        uint256 divisor = unitWeight * square;
        // slither-disable-next-line unused-return (what is below 2^256 of the product)
        (uint256 high, ) = Math.mul512(a, b);
        if (high >= divisor) return (false, 0);
        uint256 size = Math.mulDiv(a, b, divisor);
        // by Cauchy and Schwarz no part is larger than a product of gradient and update
        if (size > MAX_DOT) return (false, 0);
        bool negative = (along < 0) != (stepDot < 0);
        if (negative && mulmod(a, b, divisor) != 0) ++size;
        return (true, negative ? -int256(size) : int256(size));
    }

    /// @notice Returns a score in millionths, rounded half to even.
    /// @param value products times weights, below 2^174 in size
    /// @param weightSum the round's, above 0
    /// @return the score
    function score(int256 value, uint256 weightSum) internal pure returns (int256) {
        int256 divisor = int256(weightSum << PRODUCT_POWER);
        int256 dividend = value * int256(MILLION);
        int256 whole = floorDiv(dividend, uint256(divisor));
        int256 rest = 2 * (dividend - whole * divisor);
        return rest > divisor || (rest == divisor && whole % 2 != 0) ? whole + 1 : whole;
    }

    /// @notice Returns a quotient, rounded down.
    /// @param dividend the dividend
    /// @param divisor the divisor, above 0
    /// @return quotient the quotient
    function floorDiv(int256 dividend, uint256 divisor) internal pure returns (int256 quotient) {
        quotient = dividend / int256(divisor);
        if (dividend < 0 && dividend % int256(divisor) != 0) --quotient;
    }
}
