// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { IRounds } from "../interfaces/IRounds.sol";
import { IStatements } from "../interfaces/IStatements.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Cursor } from "./Cursors.sol";

/// @dev What a round goes on from. Of a round without a parent, all is 0.
struct Parent {
    uint64 round;
    bytes32 accountsRoot;
    bytes32 modelRoot;
    bytes32 usedShards;
    uint256 accounts;
}

/// @title Reads what a round's parent states
library Parents {
    uint256 private constant RESULT = 352; // bytes of the structs as abi.encode has them
    uint256 private constant STATEMENT = 608;

    /// @notice Reads result and statement of a round's parent, which a proof holds if there is one.
    /// @param cursor the proof
    /// @param coordinator the TrainingCoordinator
    /// @param accused the round
    /// @return what they state
    function take(
        Cursor memory cursor,
        ITrainingCoordinator coordinator,
        IProver.Case calldata accused
    ) internal view returns (Parent memory) {
        return takeOf(cursor, coordinator, accused.task, accused.round);
    }

    /// @notice Reads the same of any round.
    /// @param cursor the proof
    /// @param coordinator the TrainingCoordinator
    /// @param task the task
    /// @param round the round
    /// @return parent what its parent states
    function takeOf(
        Cursor memory cursor,
        ITrainingCoordinator coordinator,
        uint64 task,
        uint64 round
    ) internal view returns (Parent memory parent) {
        parent.round = coordinator.roundOf(task, round).parent;
        if (parent.round == 0) return parent;
        bytes calldata encoded = cursor.takeBytes(RESULT);
        if (keccak256(encoded) != coordinator.roundOf(task, parent.round).resultHash)
            revert IProver.BadProof();
        IRounds.Result memory result = abi.decode(encoded, (IRounds.Result));
        encoded = cursor.takeBytes(STATEMENT);
        if (keccak256(encoded) != result.statement) revert IProver.BadProof();
        IStatements.Statement memory statement = abi.decode(encoded, (IStatements.Statement));
        parent.accountsRoot = result.accountsRoot;
        parent.modelRoot = statement.modelRoot;
        parent.usedShards = statement.usedShards;
        parent.accounts = statement.accounts;
    }
}
