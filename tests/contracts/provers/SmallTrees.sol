// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { BodyTree } from "../BodyTree.sol";

/// @dev Trees of few leaves, and the bytes that proofs are made of.
abstract contract SmallTrees {
    function rootOf(bytes32[] memory hashes, uint256 depth) internal pure returns (bytes32 root) {
        (root, ) = BodyTree.open(hashes, 0, depth);
    }

    /// @dev The siblings of a leaf, present or not.
    function pathOf(
        bytes32[] memory hashes,
        uint256 index,
        uint256 depth
    ) internal pure returns (bytes memory) {
        (, bytes32[] memory siblings) = BodyTree.open(hashes, index, depth);
        return abi.encodePacked(siblings);
    }

    function hashesOf(bytes[] memory leaves) internal pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) hashes[i] = sha256(leaves[i]);
    }

    /// @dev A leaf and its siblings.
    function opened(
        bytes[] memory leaves,
        uint256 index,
        uint256 depth
    ) internal pure returns (bytes memory) {
        return bytes.concat(leaves[index], pathOf(hashesOf(leaves), index, depth));
    }

    function part(bytes memory data, uint256 from, uint256 to) internal pure returns (bytes memory cut) {
        cut = new bytes(to - from);
        assembly ("memory-safe") {
            mcopy(add(cut, 32), add(add(data, 32), from), sub(to, from))
        }
    }

    /// @dev Writes a number of `size` bytes.
    function put(bytes memory data, uint256 place, uint256 size, uint256 value) internal pure {
        require(place + size <= data.length, "beyond the end");
        assembly ("memory-safe") {
            let room := add(add(data, place), size) // the word that ends with the number
            let mask := sub(shl(shl(3, size), 1), 1)
            mstore(room, or(and(mload(room), not(mask)), and(value, mask)))
        }
    }
}
