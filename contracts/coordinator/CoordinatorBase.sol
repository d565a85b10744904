// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { Hashes } from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { Pausable } from "@openzeppelin/contracts/utils/Pausable.sol";

import { IRewardDistributor } from "../interfaces/IRewardDistributor.sol";
import { ISupernodeRegistry } from "../interfaces/ISupernodeRegistry.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { RoundState, TaskState } from "./State.sol";

/// @title What all parts of the TrainingCoordinator read
/// @notice Tasks, their rules and their rounds, and look-ups of them that revert when what is looked for is not there.
abstract contract CoordinatorBase is ITrainingCoordinator, Ownable, Pausable {
    /// @notice Stakes of Supernodes and Superlinks.
    ISupernodeRegistry public immutable registry;
    /// @notice Escrow and rewards.
    IRewardDistributor public immutable distributor;

    mapping(uint64 task => TaskState) internal _tasks;
    mapping(uint64 task => mapping(uint16 version => TaskRules)) internal _rules;
    mapping(uint64 task => mapping(uint64 round => RoundState)) internal _rounds;
    /// @dev The bonds that the next rounds of all open tasks ask of a Superlink.
    mapping(address superlink => uint256 sum) internal _bonds;

    constructor(
        ISupernodeRegistry registry_,
        IRewardDistributor distributor_,
        address owner_
    ) Ownable(owner_) {
        registry = registry_;
        distributor = distributor_;
    }

    function _requireTask(uint64 task) internal view {
        if (_tasks[task].version == 0) revert UnknownTask(task);
    }

    /// @dev Returns the task, which must exist and not be closed.
    function _openTask(uint64 task) internal view returns (TaskState storage state) {
        _requireTask(task);
        state = _tasks[task];
        if (state.closed) revert TaskIsClosed(task);
    }

    function _inPhase(uint64 task, uint64 round, Phase phase) internal view returns (RoundState storage r) {
        r = _rounds[task][round];
        if (r.phase != phase) revert WrongPhase(task, round, r.phase);
    }

    /// @dev Returns the round, whose result must be posted and neither final nor void.
    function _standing(uint64 task, uint64 round) internal view returns (RoundState storage r) {
        r = _rounds[task][round];
        if (r.phase != Phase.Posted && r.phase != Phase.Frozen) revert WrongPhase(task, round, r.phase);
    }

    /// @dev Returns the opening of a round, which signatures of the round name: after a reorg they are of another one
    /// where the round starts from another result or block.
    function _openingOf(uint64 task, RoundState storage r) internal view returns (bytes32) {
        return Hashes.efficientKeccak256(_rounds[task][r.parent].digest, bytes32(uint256(r.openBlock)));
    }

    /// @dev Reads the rounds in flight: their budgets together, the least stake that the next round or one of them asks
    /// for, and whether one of them opened with earlier rules than the next will. Reads as many rounds as have opened
    /// since the oldest of them.
    function _inFlight(
        uint64 task,
        TaskState storage state
    ) internal view returns (uint256 budgets, uint256 minStake, bool mixed) {
        uint16 version = state.version;
        minStake = _rules[task][version].minStake;
        uint64 round = state.lastRound;
        for (uint256 left = state.inFlight; left != 0; --round) {
            RoundState storage r = _rounds[task][round];
            if (r.phase >= Phase.Finalized) continue;
            --left;
            TaskRules storage rules = _rules[task][r.version];
            budgets += rules.roundBudget;
            minStake = Math.min(minStake, rules.minStake);
            mixed = mixed || r.version != version;
        }
    }
}
