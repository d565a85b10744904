// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";

// Depth of the trees that have a leaf for each node or owner, and bytes of leaves: docs/protocol.md, "Trees".
uint256 constant ROWS_DEPTH = 20;
uint256 constant AGGREGATE_LEAF = 2048; // 256 int64
uint256 constant MODEL_LEAF = 1024; // 256 float32
uint256 constant GRADIENT_LEAF = 513; // 256 int16, exponent

/// @title What all provers have
/// @notice The caller has checked the case. What a prover needs beside it, it reads from the coordinator.
abstract contract Prover is IProver {
    /// @notice The coordinator of all cases.
    ITrainingCoordinator public immutable coordinator;

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) {
        coordinator = coordinator_;
    }

    /// @dev Reads a value of the aggregate's chunk.
    function _total(bytes calldata leaf, uint256 index) internal pure returns (int64) {
        return int64(uint64(bytes8(leaf[8 * index:])));
    }
}
