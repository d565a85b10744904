// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Codecs } from "../../../contracts/provers/codecs/Codecs.sol";
import { Float } from "../../../contracts/provers/Float.sol";
import { Files } from "./Proving.sol";

/// @dev Shows the codecs' encoders to this file.
contract Encoder {
    function isEncoded(
        uint8 codec,
        bytes calldata leaf,
        uint256 index,
        int256[] memory group
    ) external pure returns (bool) {
        return Codecs.isEncoded(codec, leaf, index, group);
    }
}

/// @dev The arithmetic of new models and steps against numpy's (tests/vectors/floats.json), and by what must hold of it.
contract FloatTest {
    Files private constant files = Files(address(uint160(uint256(keccak256("hevm cheat code")))));
    int256 private constant LARGEST = (1 << 38) - 1; // that a step may be

    Encoder private _encoder = new Encoder();

    function read(string memory kind) private view returns (bytes memory) {
        return files.parseJsonBytes(files.readFile("tests/vectors/floats.json"), kind);
    }

    function wordAt(bytes memory rows, uint256 at) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(rows, 32), at))
        }
    }

    function test_move__vectors_of_numpy__equal_to_the_bit() public view {
        bytes memory rows = read(".rows");
        require(rows.length == 16 * 3000, "rows");
        for (uint256 at = 0; at < rows.length; at += 16) {
            uint256 row = wordAt(rows, at);
            (uint32 base, int64 step) = (uint32(row >> 224), int64(uint64(row >> 160)));
            require(Float.move(base, step) == uint32(row >> 128), "differs from numpy");
        }
    }

    /// @dev Each value as numpy has it, and none with another digit, sign or exponent.
    function test_int8__vectors_of_numpy__equal_to_the_bit() public view {
        bytes memory rows = read(".int8");
        int256[] memory group = new int256[](64);
        for (uint256 at = 0; at < rows.length; at += 581) {
            int256 divisor = int256(wordAt(rows, at) >> 224);
            bytes memory leaf = new bytes(260);
            for (uint256 i = 0; i < 64; ++i) {
                group[i] = Float.divide(int64(uint64(wordAt(rows, at + 4 + 8 * i) >> 192)), divisor);
                leaf[64 + i] = rows[at + 516 + i];
            }
            leaf[257] = rows[at + 580];
            for (uint256 i = 0; i < 64; ++i)
                require(_encoder.isEncoded(0, leaf, 64 + i, group), "differs from numpy");
            leaf[257] = bytes1(uint8(leaf[257]) + 1);
            require(!_encoder.isEncoded(0, leaf, 64, group), "exponent");
            leaf[257] = rows[at + 580];
            leaf[70] ^= 0x01;
            require(!_encoder.isEncoded(0, leaf, 70, group), "digit");
        }
    }

    function test_float32__vectors_of_numpy__equal_to_the_bit() public view {
        bytes memory rows = read(".float32");
        int256[] memory group = new int256[](1);
        for (uint256 at = 0; at < rows.length; at += 16) {
            uint256 row = wordAt(rows, at);
            group[0] = Float.divide(int64(uint64(row >> 160)), int256(row >> 224));
            bytes memory leaf = new bytes(1024);
            for (uint256 b = 0; b < 4; ++b) leaf[12 + b] = rows[at + 12 + b];
            require(_encoder.isEncoded(1, leaf, 3, group), "differs from numpy");
            leaf[15] ^= 0x01;
            require(!_encoder.isEncoded(1, leaf, 3, group), "last bit");
        }
    }

    function test_encoders__what_none_can_hold__is_no_value() public view {
        int256[] memory group = new int256[](64);
        bytes memory leaf = new bytes(1024);
        leaf[0] = 0x7f;
        leaf[256] = 0x1f;
        group[0] = 127 << 31;
        require(_encoder.isEncoded(0, leaf, 0, group));
        (group[0], leaf[0], leaf[256]) = (1 << 38, 0x40, 0x20);
        require(!_encoder.isEncoded(0, leaf, 0, group));
        (leaf[0], leaf[1], leaf[2], leaf[3]) = (0x42, 0x80, 0, 0); // 64
        require(!_encoder.isEncoded(1, leaf, 0, group));
        (group[0], leaf[0], leaf[1]) = (-(1 << 37), 0xc2, 0); // -32
        require(_encoder.isEncoded(1, leaf, 0, group));
        group[0] = 0;
        require(!_encoder.isEncoded(1, leaf, 0, group));
        leaf[0] = 0x80; // a zero with a sign
        require(!_encoder.isEncoded(1, leaf, 0, group));
        leaf[0] = 0;
        require(_encoder.isEncoded(1, leaf, 0, group));
    }

    function testFuzz_divide__any__nearest_and_even_where_two_are(
        int64 dividend,
        uint32 divisor
    ) public pure {
        if (divisor == 0) return;
        int256 whole = int256(uint256(divisor));
        int256 quotient = Float.divide(dividend, whole);
        int256 rest = 2 * (int256(dividend) - quotient * whole);
        require(rest <= whole && rest >= -whole);
        if (rest == whole || rest == -whole) require(quotient % 2 == 0);
    }

    function testFuzz_move__step_of_0__is_the_base_but_for_one_zero(uint32 base) public pure {
        require(Float.move(base, 0) == (base == 1 << 31 ? 0 : base));
    }

    function testFuzz_move__finite_base__stays_finite(uint32 base, int64 chance) public pure {
        if (Float.isFinite(base)) require(Float.isFinite(Float.move(base, chance % LARGEST)));
    }

    /// @dev The values mirror each other, but for the zero, of which there is one.
    function testFuzz_move__both_signs__mirror(uint32 base, int64 chance) public pure {
        if (!Float.isFinite(base)) return;
        uint32 moved = Float.move(base, chance % LARGEST);
        uint32 mirror = Float.move(base ^ (1 << 31), -(chance % LARGEST));
        require(moved == 0 ? mirror == 0 : mirror == moved ^ (1 << 31));
    }

    /// @dev Whole multiples of the grid that a float32 holds add up exactly.
    function testFuzz_move__small_integers__exact(int16 base, int16 step) public pure {
        require(Float.move(floatOf(base), step) == floatOf(int256(base) + step));
    }

    function test_move__opposites__give_the_zero_without_a_sign() public pure {
        require(Float.move(0x2f800000, -1) == 0);
        require(Float.move(0xaf800000, 1) == 0);
        require(Float.move(0x80000000, 0) == 0);
        require(Float.move(0x80000000, 2) == 0x30000000); // 2 of the grid
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
