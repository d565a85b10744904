// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IForcedReveals } from "./interfaces/IForcedReveals.sol";
import { IRounds } from "./interfaces/IRounds.sol";
import { ITrainingCoordinator } from "./interfaces/ITrainingCoordinator.sol";

/// @title The record of reveals by way of the chain
/// @notice Beside the coordinator: a round without forced reveals never calls it, and pays nothing for it.
contract ForcedReveals is IForcedReveals {
    /// @dev The last part of the reveal period, one of so many, in which the Superlink sees what was forced before it settles.
    uint256 private constant MARGIN = 8;

    /// @notice The coordinator of the rounds.
    ITrainingCoordinator public immutable coordinator;

    /// @inheritdoc IForcedReveals
    mapping(uint64 task => mapping(uint64 round => mapping(bytes32 commitment => bool))) public isRevealed;
    /// @inheritdoc IForcedReveals
    mapping(uint64 task => mapping(uint64 round => uint256)) public countOf;

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) {
        coordinator = coordinator_;
    }

    /// @inheritdoc IForcedReveals
    function reveal(uint64 task, uint64 round, bytes32 cid, bytes32 bodyRoot, bytes32 salt) external {
        IRounds.Round memory r = coordinator.roundOf(task, round);
        if (r.phase != IRounds.Phase.Closed) revert IRounds.WrongPhase(task, round, r.phase);
        uint256 period = coordinator.rulesOfRound(task, round).revealPeriod;
        uint256 end = r.closedAt + period - period / MARGIN;
        if (block.timestamp >= end) revert IRounds.TooLate(end);
        bytes32 commitment = keccak256(abi.encode(cid, bodyRoot, salt));
        if (isRevealed[task][round][commitment]) revert AlreadyRevealed(task, round, commitment);

        isRevealed[task][round][commitment] = true;
        ++countOf[task][round];
        emit ForcedReveal(task, round, commitment, cid, bodyRoot, salt);
    }
}
