// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Proofs in the sha256 trees of docs/protocol.md ("Trees")
/// @notice The caller fixes depth and leaf length, which replaces prefixes.
library BodyTree {
    /// @notice Checks that `leaf` (hashed already) is at `index` of the tree of depth `depth` with `root`.
    /// @param root root of the tree
    /// @param leaf sha256 of the leaf's bytes
    /// @param index position, 0 <= index < 2^depth
    /// @param proof siblings from the leaf up, exactly `depth` of them
    /// @param depth number of levels
    /// @return whether the leaf is there
    function verify(
        bytes32 root,
        bytes32 leaf,
        uint256 index,
        bytes32[] calldata proof,
        uint256 depth
    ) internal pure returns (bool) {
        if (proof.length != depth || index >> depth != 0) return false;
        bytes32 node = leaf;
        for (uint256 level = 0; level < depth; ++level) {
            node =
                (index >> level) & 1 == 0
                    ? sha256(bytes.concat(node, proof[level]))
                    : sha256(bytes.concat(proof[level], node));
        }
        return node == root;
    }
}
