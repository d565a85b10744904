// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { Trees } from "../Trees.sol";

// Solidity has no type that holds a place in the calldata, and makes no hashes of bytes there.
// solhint-disable no-inline-assembly
// slither-disable-start assembly
// slither-disable-start write-after-write (it takes offset and length for one)

/// @dev A place in a proof, and the proof's end, both in the calldata.
struct Cursor {
    uint256 at;
    uint256 end;
}

using Cursors for Cursor global;

/// @title Reads a proof from its first byte to its last
/// @notice A proof is packed: its parts follow each other, without padding, numbers big-endian. Whatever is read beyond its
/// end, left over at its end, or not under the root that it should be, is a `BadProof`.
library Cursors {
    /// @notice Returns a cursor before the first byte.
    function over(bytes calldata proof) internal pure returns (Cursor memory cursor) {
        uint256 start;
        assembly ("memory-safe") {
            start := proof.offset
        }
        return Cursor(start, start + proof.length);
    }

    /// @notice Returns how many bytes are not read yet.
    function left(Cursor memory cursor) internal pure returns (uint256) {
        return cursor.end - cursor.at;
    }

    /// @notice Reads the next `length` bytes.
    function takeBytes(Cursor memory cursor, uint256 length) internal pure returns (bytes calldata part) {
        uint256 at = _pass(cursor, length);
        assembly ("memory-safe") {
            part.offset := at
            part.length := length
        }
    }

    /// @notice Reads a number of `length` bytes, 1 to 32.
    function takeNumber(Cursor memory cursor, uint256 length) internal pure returns (uint256) {
        return uint256(bytes32(takeBytes(cursor, length))) >> (256 - 8 * length);
    }

    /// @notice Reads an address.
    function takeAddress(Cursor memory cursor) internal pure returns (address) {
        return address(uint160(takeNumber(cursor, 20)));
    }

    /// @notice Reads `count` hashes.
    function takeHashes(
        Cursor memory cursor,
        uint256 count
    ) internal pure returns (bytes32[] calldata hashes) {
        uint256 at = _pass(cursor, 32 * count);
        assembly ("memory-safe") {
            hashes.offset := at
            hashes.length := count
        }
    }

    /// @notice Reads the siblings of a leaf, and returns the root that they lead to.
    /// @param hash hash of the leaf; 0: the leaf is absent
    /// @param index the leaf's index
    /// @param depth depth of the tree
    function takeRoot(
        Cursor memory cursor,
        bytes32 hash,
        uint256 index,
        uint256 depth
    ) internal view returns (bytes32) {
        if (index >> depth != 0) revert IProver.BadProof();
        return Trees.climb(hash, index, takeHashes(cursor, depth));
    }

    /// @notice Reads a leaf of `length` bytes and its siblings; it must be under `root`.
    function takeLeaf(
        Cursor memory cursor,
        uint256 length,
        bytes32 root,
        uint256 index,
        uint256 depth
    ) internal view returns (bytes calldata leaf) {
        leaf = takeBytes(cursor, length);
        if (takeRoot(cursor, Trees.leafHash(leaf), index, depth) != root) revert IProver.BadProof();
    }

    /// @notice Reverts unless all bytes have been read.
    function requireEnd(Cursor memory cursor) internal pure {
        if (cursor.at != cursor.end) revert IProver.BadProof();
    }

    function _pass(Cursor memory cursor, uint256 length) private pure returns (uint256 at) {
        at = cursor.at;
        if (length > cursor.end - at) revert IProver.BadProof();
        cursor.at = at + length;
    }
}
// slither-disable-end write-after-write
// slither-disable-end assembly
