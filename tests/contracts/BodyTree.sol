// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The sha256 trees of docs/protocol.md ("Trees"), level by level
/// @notice What contracts/Trees.sol is compared with. An absent leaf is 32 zero bytes, also where others follow.
library BodyTree {
    /// @notice Returns the root of a tree, and the siblings of one of its leaves.
    /// @param hashes hashes of the leaves
    /// @param index position, of a leaf or an absent one
    /// @param depth number of levels
    /// @return root the root
    /// @return siblings from the leaf up
    function open(
        bytes32[] memory hashes,
        uint256 index,
        uint256 depth
    ) internal pure returns (bytes32 root, bytes32[] memory siblings) {
        siblings = new bytes32[](depth);
        bytes32 absent;
        for (uint256 level = 0; level < depth; ++level) {
            uint256 sibling = (index >> level) ^ 1;
            siblings[level] = sibling < hashes.length ? hashes[sibling] : absent;
            bytes32[] memory above = new bytes32[]((hashes.length + 1) / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                bool paired = 2 * i + 1 < hashes.length;
                above[i] = sha256(bytes.concat(hashes[2 * i], paired ? hashes[2 * i + 1] : absent));
            }
            absent = sha256(bytes.concat(absent, absent));
            hashes = above;
        }
        root = hashes.length == 0 ? absent : hashes[0];
    }
}
