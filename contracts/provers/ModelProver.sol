// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IProver } from "../interfaces/IProver.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Codecs } from "./codecs/Codecs.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Float } from "./Float.sol";
import { Parent, Parents } from "./Parents.sol";
import { AGGREGATE_LEAF, MODEL_LEAF, Prover } from "./Prover.sol";

/// @title Shows a wrong value of a step or of the new model: docs/disputes.md, "ModelProver"
contract ModelProver is Prover {
    /// @notice A value of the new model is not the base model's plus the step's, or that is none that a decoder takes.
    uint8 public constant MODEL = 0;
    /// @notice A value of the step is not what the codec makes of the aggregate.
    uint8 public constant STEP = 1;

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
        if (claim > STEP) revert BadShape();
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        Cursor memory cursor = Cursors.over(proof);
        Place memory place = Place(cursor.takeNumber(4), cursor.takeNumber(1), rules.bodyDepth);
        bool guilty =
            claim == MODEL
                ? _isModelWrong(accused, rules, place, cursor)
                : _isStepWrong(accused, rules.codec, place, cursor);
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    function _isModelWrong(
        Case calldata accused,
        ITasks.TaskRules memory rules,
        Place memory place,
        Cursor memory cursor
    ) private view returns (bool) {
        bytes calldata leaf = _takeStep(accused, rules.codec, place, cursor);
        (int256 step, bool valid) = Codecs.read(rules.codec, leaf, place.value);
        uint32 model = _takeValue(cursor, accused.statement.modelRoot, place);
        Parent memory parent = Parents.take(cursor, coordinator, accused);
        uint32 base = _takeValue(cursor, parent.round == 0 ? rules.baseModelRoot : parent.modelRoot, place);
        // every model is finite, and every step of a finite one is: whoever made it so is at fault
        return !valid || (Float.isFinite(base) && model != Float.move(base, step));
    }

    function _isStepWrong(
        Case calldata accused,
        uint8 codec,
        Place memory place,
        Cursor memory cursor
    ) private view returns (bool) {
        bytes32 root = accused.statement.aggregateRoot;
        bytes calldata sums = cursor.takeLeaf(AGGREGATE_LEAF, root, place.chunk, place.depth);
        bytes calldata leaf = _takeStep(accused, codec, place, cursor);
        int256[] memory group = new int256[](Codecs.groupOf(codec));
        uint256 first = place.value - (place.value % group.length);
        int256 divisor = int256(Math.max(accused.result.weightSum, 1));
        for (uint256 i = 0; i < group.length; ++i) group[i] = Float.divide(_total(sums, first + i), divisor);
        return !Codecs.isEncoded(codec, leaf, place.value, group);
    }

    function _takeStep(
        Case calldata accused,
        uint8 codec,
        Place memory place,
        Cursor memory cursor
    ) private view returns (bytes calldata) {
        bytes32 root = accused.statement.newStepRoot;
        return cursor.takeLeaf(Codecs.leafOf(codec), root, place.chunk, place.depth);
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
