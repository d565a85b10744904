// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRewardDistributor } from "../../contracts/interfaces/IRewardDistributor.sol";
import { Trees } from "../../contracts/Trees.sol";

/// @dev Many rows of a vector file in one call.
contract Bulk {
    /// @dev A leaf, and its opening.
    struct Row {
        bytes leaf;
        uint256 index;
        bytes32[] proof;
    }

    function claim(IRewardDistributor distributor, uint256 task, Row[] calldata rows) external {
        for (uint256 i = 0; i < rows.length; ++i) {
            distributor.claim(task, rows[i].leaf, rows[i].index, rows[i].proof);
        }
    }

    function verify(
        bytes32 root,
        uint256 depth,
        Row[] calldata rows
    ) external view returns (bool[] memory holds) {
        holds = new bool[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            Row calldata row = rows[i];
            if (row.proof.length != depth || row.index >> depth != 0) continue;
            holds[i] = Trees.climb(Trees.leafHash(row.leaf), row.index, row.proof) == root;
        }
    }
}
