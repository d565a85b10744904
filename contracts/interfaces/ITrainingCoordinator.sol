// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IChallenges } from "./IChallenges.sol";
import { IForcedCommits } from "./IForcedCommits.sol";
import { IMembers } from "./IMembers.sol";
import { IRounds } from "./IRounds.sol";
import { ITasks } from "./ITasks.sol";

/// @title The TrainingCoordinator
/// @notice Tasks, their members, rounds, forced commits and challenges: one contract, and an interface for each subject.
interface ITrainingCoordinator is ITasks, IMembers, IRounds, IForcedCommits, IChallenges {
    /// @notice Stops `createTask`, `join` and `openRound`, and nothing else. Only the DAO may call.
    function pause() external;
    /// @notice Lets `createTask`, `join` and `openRound` work again. Only the DAO may call.
    function unpause() external;
}
