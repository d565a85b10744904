// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRewardDistributor } from "../../contracts/interfaces/IRewardDistributor.sol";
import { BodyTree } from "./BodyTree.sol";

/// @dev The tree of accounts of docs/protocol.md, and claims of its leaves.
library Accounts {
    uint256 internal constant DEPTH = 20;

    /// @dev An account's leaf; what claims do not read has numbers of its own.
    function leaf(address owner, uint256 cumulative, uint256 total) internal pure returns (bytes memory) {
        bytes memory rest = abi.encodePacked(uint64(7), int64(-5), uint128(total), uint32(1));
        return abi.encodePacked(owner, uint128(cumulative), rest);
    }

    function list(address owner, uint256 cumulative) internal pure returns (bytes[] memory leaves) {
        leaves = new bytes[](1);
        leaves[0] = leaf(owner, cumulative, cumulative);
    }

    function open(
        bytes[] memory leaves,
        uint256 index
    ) internal pure returns (bytes32 root, bytes32[] memory siblings) {
        bytes32[] memory hashes = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) hashes[i] = sha256(leaves[i]);
        return BodyTree.open(hashes, index, DEPTH);
    }

    function rootOf(bytes[] memory leaves) internal pure returns (bytes32 root) {
        (root, ) = open(leaves, 0);
    }

    function claimCall(
        uint256 task,
        bytes[] memory leaves,
        uint256 index
    ) internal pure returns (bytes memory) {
        (, bytes32[] memory siblings) = open(leaves, index);
        return abi.encodeCall(IRewardDistributor.claim, (task, leaves[index], index, siblings));
    }
}
