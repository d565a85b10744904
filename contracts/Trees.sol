// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The sha256 trees of docs/protocol.md ("Trees")
/// @notice A leaf's hash is sha256 of its bytes, a node's that of its two children, the depth is fixed, and an absent leaf is
/// 32 zero bytes. Leaves and nodes are told apart by depth alone: check the number of siblings and the leaf's length.
/// @dev Pairs are hashed in scratch space, for a proof hashes thousands. A caller can starve the precompile of gas: where it
/// fails it returns nothing, and `mload(sub(returndatasize(), 0x20))`, which is the hash otherwise, reads beyond all memory
/// and runs out of gas.
library Trees {
    /// @notice A tree of this depth has no leaf of this index.
    error IndexOutsideTree(uint256 index, uint256 depth);
    /// @notice A tree of this depth has fewer leaves.
    error TooManyLeaves(uint256 count, uint256 depth);

    // slither-disable-start assembly (a proof takes thousands of hashes)

    /// @notice Returns the root to which a leaf leads, or a node above it: the root of a whole subtree counts its index in
    /// subtrees of its size.
    /// @param hash hash of the leaf or node
    /// @param index its index among those of its height, below 2^(number of siblings)
    /// @param siblings from the bottom up: as many as the tree is higher
    /// @return root the root
    function climb(
        bytes32 hash,
        uint256 index,
        bytes32[] calldata siblings
    ) internal view returns (bytes32 root) {
        uint256 depth = siblings.length;
        if (index >> depth != 0) revert IndexOutsideTree(index, depth);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            root := hash
            let sibling := siblings.offset
            for {
                let end := add(sibling, shl(5, depth))
            } lt(sibling, end) {
                sibling := add(sibling, 0x20)
            } {
                let side := shl(5, and(index, 1))
                mstore(side, root)
                mstore(xor(side, 0x20), calldataload(sibling))
                pop(staticcall(gas(), 2, 0x00, 0x40, 0x00, 0x20))
                root := mload(sub(returndatasize(), 0x20))
                index := shr(1, index)
            }
        }
    }

    /// @notice Returns the root to which an aligned block of leaves leads: the leaves of one whole subtree, absent ones left
    /// out at its end.
    /// @param hashes hashes of the leaves; overwritten
    /// @param height height of the subtree, 2^height leaves at most
    /// @param index index of the subtree among those of its height: that of its first leaf divided by 2^height
    /// @param siblings from the subtree up: as many as the tree is higher
    /// @return root the root
    function climbBlock(
        bytes32[] memory hashes,
        uint256 height,
        uint256 index,
        bytes32[] calldata siblings
    ) internal view returns (bytes32 root) {
        return climb(dense(hashes, height), index, siblings);
    }

    /// @notice Returns the root of the tree that has exactly these leaves, the first ones: nobody can hide a leaf.
    /// @param hashes hashes of the leaves; overwritten
    /// @param depth depth of the tree
    /// @return root the root
    function dense(bytes32[] memory hashes, uint256 depth) internal view returns (bytes32 root) {
        uint256 count = hashes.length;
        if (count > 1 << depth) revert TooManyLeaves(count, depth);
        bytes32 absent; // root of a tree of the level's height without a leaf
        for (uint256 level = 0; level < depth; ++level) {
            uint256 pairs = count / 2;
            // each hash is written behind what is read next
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                let first := add(hashes, 0x20)
                for {
                    let i := 0
                } lt(i, pairs) {
                    i := add(i, 1)
                } {
                    pop(staticcall(gas(), 2, add(first, shl(6, i)), 0x40, 0x00, 0x20))
                    mstore(add(first, shl(5, i)), mload(sub(returndatasize(), 0x20)))
                }
            }
            if (count % 2 == 1) hashes[pairs] = join(hashes[count - 1], absent);
            absent = join(absent, absent);
            count = pairs + (count % 2);
        }
        return count == 0 ? absent : hashes[0];
    }

    /// @notice Returns the hash of a leaf.
    /// @param leaf its bytes
    /// @return the hash
    function leafHash(bytes calldata leaf) internal pure returns (bytes32) {
        return sha256(leaf); // reverts where the precompile fails
    }

    /// @notice Returns the hash of a node.
    /// @param left hash of its first child
    /// @param right hash of the second
    /// @return hash the hash
    function join(bytes32 left, bytes32 right) internal view returns (bytes32 hash) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            pop(staticcall(gas(), 2, 0x00, 0x40, 0x00, 0x20))
            hash := mload(sub(returndatasize(), 0x20))
        }
    }

    // slither-disable-end assembly
}
