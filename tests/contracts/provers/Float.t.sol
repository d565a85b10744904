// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Float } from "../../../contracts/provers/Float.sol";
import { Files } from "./Proving.sol";

/// @dev The arithmetic of new models against numpy's (tests/vectors/floats.json), and by what must hold of it.
contract FloatTest {
    Files private constant files = Files(address(uint160(uint256(keccak256("hevm cheat code")))));

    function test_move__vectors_of_numpy__equal_to_the_bit() public view {
        bytes memory rows = files.parseJsonBytes(files.readFile("tests/vectors/floats.json"), ".rows");
        require(rows.length == 20 * 3000, "rows");
        for (uint256 at = 0; at < rows.length; at += 20) {
            uint256 row;
            assembly ("memory-safe") {
                row := mload(add(add(rows, 32), at))
            }
            (uint32 base, int64 total) = (uint32(row >> 224), int64(uint64(row >> 160)));
            (uint32 weightSum, uint32 expected) = (uint32(row >> 128), uint32(row >> 96));
            require(Float.move(base, total, weightSum) == expected, "differs from numpy");
        }
    }

    function testFuzz_move__weight_sum_0__is_the_base(uint32 base, int64 total) public pure {
        require(Float.move(base, total, 0) == base);
    }

    function testFuzz_move__step_of_0__is_the_base_but_for_one_zero(
        uint32 base,
        uint32 weightSum
    ) public pure {
        if (weightSum == 0) return;
        require(Float.move(base, 0, weightSum) == (base == 1 << 31 ? 0 : base));
    }

    function testFuzz_move__finite_base__stays_finite(
        uint32 base,
        int64 total,
        uint32 weightSum
    ) public pure {
        if (Float.isFinite(base)) require(Float.isFinite(Float.move(base, total, weightSum)));
    }

    /// @dev The values mirror each other, but for the zero, of which there is one.
    function testFuzz_move__both_signs__mirror(uint32 base, int64 total, uint32 weightSum) public pure {
        if (total == type(int64).min || weightSum == 0 || !Float.isFinite(base)) return;
        uint32 moved = Float.move(base, total, weightSum);
        uint32 mirror = Float.move(base ^ (1 << 31), -total, weightSum);
        require(moved == 0 ? mirror == 0 : mirror == moved ^ (1 << 31));
    }

    /// @dev Whole multiples of the grid that a float32 holds add up exactly.
    function testFuzz_move__small_integers__exact(int16 base, int16 step, uint16 weightSum) public pure {
        if (weightSum == 0) return;
        int256 total = int256(step) * int256(uint256(weightSum));
        require(Float.move(floatOf(base), int64(total), weightSum) == floatOf(int256(base) + step));
    }

    function test_move__opposites__give_the_zero_without_a_sign() public pure {
        require(Float.move(0x2f800000, -1, 1) == 0);
        require(Float.move(0xaf800000, 1, 1) == 0);
        require(Float.move(0x80000000, 0, 1) == 0);
        require(Float.move(0x80000000, -1, 3) == 0); // T = 0
        require(Float.move(0x80000000, 1, 2) == 0); // half to even
        require(Float.move(0x80000000, 3, 2) == 0x30000000); // 2 of the grid
        require(Float.move(0x80000000, 0, 0) == 0x80000000);
    }

    function test_is_finite__infinities_and_no_numbers__are_not() public pure {
        require(!Float.isFinite(0x7f800000) && !Float.isFinite(0xff800000) && !Float.isFinite(0x7fc00001));
        require(Float.isFinite(0x7f7fffff) && Float.isFinite(0x80000000));
    }

    /// @dev The float32 of `value` times 2^-32, for few bits.
    function floatOf(int256 value) private pure returns (uint32) {
        if (value == 0) return 0;
        uint32 sign = value < 0 ? 1 << 31 : 0;
        uint32 size = uint32(uint256(value < 0 ? -value : value));
        uint32 exponent = 118;
        while (size < 1 << 23) (size, exponent) = (size << 1, exponent - 1);
        return sign | (exponent << 23) | (size & 0x7fffff);
    }
}
