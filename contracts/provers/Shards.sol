// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev The shards that were drawn: a bit for each of a task's, the first the highest of the first word.
struct ShardSet {
    uint256[] words;
    uint256 count;
}

/// @title Draws validation shards: docs/protocol.md, "Seed and shard"
library Shards {
    uint256 private constant WORDS = 256;
    uint256 private constant BITS = 256; // of a word
    uint256 private constant ALL = type(uint256).max;

    /// @notice Returns the set of none.
    /// @return the set
    function none() internal pure returns (ShardSet memory) {
        return ShardSet(new uint256[](WORDS), 0);
    }

    /// @notice Reads a set.
    /// @param bitmap its 8,192 bytes
    /// @return set the set
    function read(bytes calldata bitmap) internal pure returns (ShardSet memory set) {
        set = none();
        for (uint256 i = 0; i < WORDS; ++i) {
            uint256 word = uint256(bytes32(bitmap[32 * i:]));
            set.words[i] = word;
            set.count += _countOnes(word);
        }
    }

    /// @notice Returns whether a set has these bytes.
    /// @param set the set
    /// @param bitmap 8,192 bytes
    /// @return whether it has
    function isSame(ShardSet memory set, bytes calldata bitmap) internal pure returns (bool) {
        for (uint256 i = 0; i < WORDS; ++i)
            if (set.words[i] != uint256(bytes32(bitmap[32 * i:]))) return false;
        return true;
    }

    /// @notice Draws a shard that is not in a set, and adds it.
    /// @param set the shards that were drawn before, of these
    /// @param seed the round's seed
    /// @param shards number of the task's
    /// @return index the shard
    /// @return any whether one was left
    function draw(
        ShardSet memory set,
        bytes32 seed,
        uint256 shards
    ) internal pure returns (uint256 index, bool any) {
        if (set.count >= shards) return (0, false);
        uint256 place = uint256(sha256(abi.encodePacked(seed, "shard"))) % (shards - set.count);
        uint256 word = 0;
        uint256 free = ~set.words[0];
        for (uint256 here = _countOnes(free); place >= here; here = _countOnes(free)) {
            place -= here;
            free = ~set.words[++word];
        }
        uint256 bit = 0;
        for (uint256 half = BITS / 2; half != 0; half /= 2) {
            uint256 left = _countOnes((free << bit) & ~(ALL >> half));
            if (place >= left) (place, bit) = (place - left, bit + half);
        }
        set.words[word] |= 1 << (BITS - 1 - bit);
        ++set.count;
        return (word * BITS + bit, true);
    }

    function _countOnes(uint256 word) private pure returns (uint256) {
        if (word == ALL) return BITS; // one more than a byte holds
        unchecked {
            word -= (word >> 1) & (ALL / 3);
            word = (word & (ALL / 5)) + ((word >> 2) & (ALL / 5));
            word = (word + (word >> 4)) & (ALL / 17);
            // slither-disable-next-line divide-before-multiply (ALL / 255 is a mask: a bit of each byte)
            return (word * (ALL / 255)) >> (BITS - 8);
        }
    }
}
