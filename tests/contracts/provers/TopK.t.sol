// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Codecs } from "../../../contracts/provers/codecs/Codecs.sol";
import { TopK } from "../../../contracts/provers/codecs/TopK.sol";

/// @dev Shows the codec to this file.
contract TopKHost {
    function read(bytes calldata leaf, uint256 index) external pure returns (int256 q, bool valid) {
        return TopK.read(leaf, index);
    }

    function readAt(
        bytes calldata leaf,
        uint256 chunk,
        uint256 value
    ) external pure returns (int256 q, bool valid) {
        return Codecs.read(2, leaf, chunk, value);
    }

    function multiply(
        bytes calldata leaf,
        bytes calldata chunks
    ) external pure returns (int256 dot, uint256 square) {
        return TopK.multiply(leaf, chunks);
    }
}

/// @dev What the codec topk takes as a leaf, value by value, and what it makes of it.
contract TopKTest {
    uint256 private constant ENTRIES = 58;

    TopKHost private _host = new TopKHost();
    uint16[] private _entries;

    /// @dev Places 0, 70, 140, and so on to 3,990, with digits from -7 to 7.
    function setUp() public {
        for (uint256 i = 0; i < ENTRIES; ++i)
            _entries.push(uint16((70 * i) << 4) | uint16(uint256(digitOf(i)) & 15));
    }

    function digitOf(uint256 i) private pure returns (int256) {
        return int256(i % 15) - 7;
    }

    function leafOf(uint8 exponent) private view returns (bytes memory leaf) {
        for (uint256 i = 0; i < ENTRIES; ++i) leaf = abi.encodePacked(leaf, _entries[i]);
        leaf = bytes.concat(leaf, bytes1(exponent));
    }

    function requireAll(bytes memory leaf, bool expected) private view {
        for (uint256 index = 0; index < 4096; index += 455) {
            (, bool valid) = _host.read(leaf, index);
            require(valid == expected, "validity");
        }
    }

    function test_read__a_leaf__digits_at_their_places_and_nothing_elsewhere() public view {
        for (uint256 exponent = 0; exponent < 36; exponent += 5) {
            bytes memory leaf = leafOf(uint8(exponent));
            for (uint256 i = 0; i < ENTRIES; ++i) {
                (int256 q, bool valid) = _host.read(leaf, 70 * i);
                require(valid && q == digitOf(i) * int256(1 << exponent), "digit");
                (q, valid) = _host.read(leaf, 70 * i + 1);
                require(valid && q == 0, "elsewhere");
            }
        }
        requireAll(leafOf(35), true);
    }

    function test_read__by_chunk_and_value__counts_in_its_leaf() public view {
        bytes memory leaf = leafOf(3);
        for (uint256 i = 0; i < ENTRIES; ++i) {
            (int256 q, bool valid) = _host.readAt(leaf, 48 + (70 * i) / 256, (70 * i) % 256);
            require(valid && q == digitOf(i) * 8, "value");
        }
    }

    function test_read__the_last_place__is_one() public {
        _entries[ENTRIES - 1] = 0xfff7;
        (int256 q, bool valid) = _host.read(leafOf(35), 4095);
        require(valid && q == int256(7 << 35), "last");
    }

    function test_read__a_broken_leaf__has_no_value_at_all() public {
        requireAll(leafOf(36), false);
        requireAll(leafOf(255), false);
        uint16 entry = _entries[20];
        _entries[20] = (entry & 0xfff0) | 8; // -8
        requireAll(leafOf(3), false);
        _entries[20] = (_entries[19] & 0xfff0) | 1; // a place twice
        requireAll(leafOf(3), false);
        _entries[20] = 1; // one that falls
        requireAll(leafOf(3), false);
        _entries[20] = entry;
        requireAll(leafOf(3), true);
    }

    /// @dev A gradient's chunks with one digit each, at the place of an entry.
    function test_multiply__chunks_of_a_gradient__counts_those_that_are_there() public view {
        bytes memory leaf = leafOf(2);
        bytes memory chunks = new bytes(2 * 513);
        chunks[2 * 70] = 0x01; // 256 at place 70
        chunks[512] = 0x03;
        chunks[513 + 2 * (280 - 256)] = 0xff; // -256 at place 280
        chunks[513 + 512] = 0x2f;
        (int256 dot, uint256 square) = _host.multiply(leaf, chunks);
        int256 expected = digitOf(1) * 256 * 8 - digitOf(4) * 256 * int256(1 << 47);
        require(dot == expected * 4, "dot");
        uint256 sum = 0;
        for (uint256 i = 0; i < ENTRIES; ++i) sum += uint256(digitOf(i) * digitOf(i));
        require(square == sum * 16, "square");
        (dot, square) = _host.multiply(leaf, leaf); // of which there is no chunk
        require(dot == 0 && square == sum * 16, "no chunk");
    }
}
