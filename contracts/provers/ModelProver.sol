// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IProver } from "../interfaces/IProver.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Trees } from "../Trees.sol";
import { Codecs } from "./codecs/Codecs.sol";
import { Gradients } from "./codecs/Gradients.sol";
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

    /// @notice The last step, from the parent's base model to the round's, is not what the statement says, or there is one where
    /// it says that there is none.
    uint8 public constant LAST_STEP = 2;

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
        if (claim > LAST_STEP) revert BadShape();
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        Cursor memory cursor = Cursors.over(proof);
        Place memory place = Place(cursor.takeNumber(4), 0, rules.bodyDepth);
        if (claim != LAST_STEP) place.value = cursor.takeNumber(1);
        bool guilty = false;
        if (claim == MODEL) guilty = _isModelWrong(accused, rules, place, cursor);
        else if (claim == STEP) guilty = _isStepWrong(accused, Codecs.ofSteps(rules.codec), place, cursor);
        else guilty = _isLastStepWrong(accused, rules, place, cursor);
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    function _isModelWrong(
        Case calldata accused,
        ITasks.TaskRules memory rules,
        Place memory place,
        Cursor memory cursor
    ) private view returns (bool) {
        uint8 codec = Codecs.ofSteps(rules.codec);
        bytes calldata leaf = _takeStep(accused, codec, place, cursor);
        (int256 step, bool valid) = Codecs.read(codec, leaf, place.chunk, place.value);
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

    /// @dev Without an input nothing is scored, and there is no last step. One without a root is none.
    function _isLastStepWrong(
        Case calldata accused,
        ITasks.TaskRules memory rules,
        Place memory place,
        Cursor memory cursor
    ) private view returns (bool) {
        Parent memory parent = Parents.take(cursor, coordinator, accused);
        bool none = accused.statement.stepRoot == 0;
        if (parent.round == 0 || accused.result.inputs == 0) return !none && place.chunk == 0;
        Parent memory before = Parents.takeOf(cursor, coordinator, accused.task, parent.round);
        if (before.round == 0) before.modelRoot = rules.baseModelRoot;
        bool beyond = place.chunk >= rules.scoredChunks;
        int256[] memory moved = new int256[](256);
        bool modest = beyond || _takeMoved(cursor, parent.modelRoot, before.modelRoot, place, moved);
        bytes calldata leaf =
            none ? cursor.takeBytes(0) : _takeAnyLeaf(cursor, accused.statement.stepRoot, place);
        if (!none && (beyond || leaf.length == 0)) return beyond != (leaf.length == 0);
        return modest && Gradients.isOther(leaf, moved);
    }

    /// @dev Reads a leaf of any length, or that it is absent, with which the proof ends.
    function _takeAnyLeaf(
        Cursor memory cursor,
        bytes32 root,
        Place memory place
    ) private view returns (bytes calldata leaf) {
        uint256 siblings = 32 * place.depth;
        if (cursor.left() < siblings) revert BadProof();
        leaf = cursor.takeBytes(cursor.left() - siblings);
        bytes32 hash = leaf.length == 0 ? bytes32(0) : Trees.leafHash(leaf);
        if (cursor.takeRoot(hash, place.chunk, place.depth) != root) revert BadProof();
    }

    /// @dev Reads a chunk of two models, and takes the one from the other; returns whether all their values are modest.
    function _takeMoved(
        Cursor memory cursor,
        bytes32 root,
        bytes32 formerRoot,
        Place memory place,
        int256[] memory moved
    ) private view returns (bool modest) {
        bytes calldata leaf = cursor.takeLeaf(MODEL_LEAF, root, place.chunk, place.depth);
        bytes calldata former = cursor.takeLeaf(MODEL_LEAF, formerRoot, place.chunk, place.depth);
        modest = true;
        for (uint256 i = 0; i < 256 && modest; ++i) {
            (uint32 value, uint32 one) = (_read(leaf, i), _read(former, i));
            modest = Float.isModest(value) && Float.isModest(one);
            if (modest) moved[i] = Float.subtract(value, one);
        }
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
        return _read(cursor.takeLeaf(MODEL_LEAF, root, place.chunk, place.depth), place.value);
    }

    function _read(bytes calldata leaf, uint256 value) private pure returns (uint32) {
        uint32 bits = uint32(bytes4(leaf[4 * value:]));
        bits = ((bits & 0x00ff00ff) << 8) | ((bits >> 8) & 0x00ff00ff);
        return (bits << 16) | (bits >> 16);
    }
}
