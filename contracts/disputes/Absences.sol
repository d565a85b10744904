// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IAbsences } from "../interfaces/IAbsences.sol";
import { IProver } from "../interfaces/IProver.sol";
import { IRounds } from "../interfaces/IRounds.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Commits } from "../provers/Commits.sol";
import { Cursor, Cursors } from "../provers/Cursors.sol";

/// @title The part of Disputes that puts Supernodes to sleep
abstract contract Absences is IAbsences {
    uint256 private constant ROUNDS = 3; // in a row
    uint256 private constant RESULT = 352; // bytes as abi.encode has it

    /// @inheritdoc IAbsences
    mapping(uint64 task => mapping(address node => uint64 round)) public sleptAfter;

    /// @inheritdoc IAbsences
    function sleep(uint64 task, uint64 round, address node, bytes calldata proof) external {
        ITrainingCoordinator rounds = _rounds();
        uint64 head = rounds.taskOf(task).head;
        if (round != head && round != rounds.roundOf(task, head).parent) revert NotNewest(task, round);
        Cursor memory cursor = Cursors.over(proof);
        uint64 one = round;
        for (uint256 i = 0; i < ROUNDS; ++i) one = _takeRound(cursor, rounds, task, one, node);
        cursor.requireEnd();

        sleptAfter[task][node] = round;
        rounds.dismiss(task, node);
    }

    /// @dev Returns the coordinator.
    function _rounds() internal view virtual returns (ITrainingCoordinator);

    /// @dev Reads that a node was absent from a round; returns the round's parent. There is no result of round 0.
    function _takeRound(
        Cursor memory cursor,
        ITrainingCoordinator rounds,
        uint64 task,
        uint64 round,
        address node
    ) private view returns (uint64) {
        // slither-disable-next-line calls-loop (of three rounds, which a contract of ours reads)
        IRounds.Round memory r = rounds.roundOf(task, round);
        bytes calldata encoded = cursor.takeBytes(RESULT);
        if (keccak256(encoded) != r.resultHash) revert IProver.BadProof();
        bool absent = Commits.takeAbsence(cursor, abi.decode(encoded, (IRounds.Result)), node);
        // slither-disable-next-line calls-loop
        if (!absent || round <= sleptAfter[task][node] || !rounds.wasMember(task, node, round))
            revert NotAbsent(task, round, node);
        return r.parent;
    }
}
