// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Float } from "./Float.sol";
import { Parent, Parents } from "./Parents.sol";
import { AGGREGATE_LEAF, MODEL_LEAF, Prover } from "./Prover.sol";

/// @title Shows a wrong value of a new model: docs/disputes.md, "ModelProver"
contract ModelProver is Prover {
    /// @notice A value of the new model is not the base model's plus the aggregate's step.
    uint8 public constant MODEL = 0;

    /// @dev A value of all models.
    struct Place {
        uint256 chunk;
        uint256 value; // in its chunk, 0 to 255
        uint256 depth; // of the trees
    }

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        if (claim != MODEL) revert BadShape();
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        Cursor memory cursor = Cursors.over(proof);
        Place memory place = Place(cursor.takeNumber(4), cursor.takeNumber(1), rules.bodyDepth);
        int64 total = _total(
            cursor.takeLeaf(AGGREGATE_LEAF, accused.statement.aggregateRoot, place.chunk, place.depth),
            place.value
        );
        uint32 model = _takeValue(cursor, accused.statement.modelRoot, place);
        Parent memory parent = Parents.take(cursor, coordinator, accused);
        uint32 base = _takeValue(cursor, parent.round == 0 ? rules.baseModelRoot : parent.modelRoot, place);
        cursor.requireEnd();

        // every model is finite, and every step of a finite one is: whoever made it so is at fault
        if (!Float.isFinite(base)) revert NotGuilty();
        if (model == Float.move(base, total, accused.result.weightSum)) revert NotGuilty();
    }

    /// @dev Reads a model's chunk; returns the bits of the value, which is little-endian as in the model's file.
    function _takeValue(
        Cursor memory cursor,
        bytes32 root,
        Place memory place
    ) private view returns (uint32) {
        bytes calldata leaf = cursor.takeLeaf(MODEL_LEAF, root, place.chunk, place.depth);
        uint32 bits = uint32(bytes4(leaf[4 * place.value:]));
        bits = ((bits & 0x00ff00ff) << 8) | ((bits >> 8) & 0x00ff00ff);
        return (bits << 16) | (bits >> 16);
    }
}
