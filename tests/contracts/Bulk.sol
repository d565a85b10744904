// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRewardDistributor } from "../../contracts/interfaces/IRewardDistributor.sol";
import { BodyTree } from "./BodyTree.sol";

/// @dev Many rows of a vector file in one call.
contract Bulk {
    struct Reward {
        address owner;
        uint256 cumulative;
        bytes32 leaf;
        bytes32[] proof;
    }

    struct Body {
        bytes leaf;
        uint256 index;
        bytes32[] proof;
    }

    function claim(IRewardDistributor distributor, uint256 task, Reward[] calldata rows) external {
        for (uint256 i = 0; i < rows.length; ++i) {
            Reward calldata row = rows[i];
            require(distributor.leaf(task, row.owner, row.cumulative) == row.leaf, "leaf differs");
            distributor.claim(task, row.owner, row.cumulative, row.proof);
        }
    }

    function verify(
        bytes32 root,
        uint256 depth,
        Body[] calldata rows
    ) external pure returns (bool[] memory holds) {
        holds = new bool[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            bytes32 leaf = sha256(rows[i].leaf);
            holds[i] = BodyTree.verify(root, leaf, rows[i].index, rows[i].proof, depth);
        }
    }
}
