// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { IStatements } from "../interfaces/IStatements.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Trees } from "../Trees.sol";
import { Codecs } from "./codecs/Codecs.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { AGGREGATE_LEAF, GRADIENT_LEAF, MODEL_LEAF, Prover, ROWS_DEPTH } from "./Prover.sol";

/// @title Shows a leaf of another length than its tree's, one too many, or a missing one: docs/disputes.md, "ShapeProver"
/// @notice Other provers read leaves of the right length alone: without these claims, a wrong one would hide what is in it.
/// A claim is of one tree.
contract ShapeProver is Prover {
    /// @notice An input's update has other chunks than the model.
    uint8 public constant UPDATE = 0;
    /// @notice The aggregate has.
    uint8 public constant AGGREGATE = 1;
    /// @notice The new model has other chunks than the task's.
    uint8 public constant MODEL = 2;
    /// @notice The gradient at the base model has other chunks than the scored ones.
    uint8 public constant GATE = 3;
    /// @notice The gradient along the step has.
    uint8 public constant GRADIENT = 4;
    /// @notice There are other inputs than the result counts.
    uint8 public constant INPUTS = 5;
    /// @notice There are other rows than the statement counts.
    uint8 public constant ROWS = 6;
    /// @notice There are other accounts than the statement counts.
    uint8 public constant ACCOUNTS = 7;
    /// @notice The step to the new model has other chunks than the task's.
    uint8 public constant STEP = 8;

    // bytes, by docs/protocol.md, "Trees"
    uint256 private constant INPUT_LEAF = 56;
    uint256 private constant ROW_LEAF = 455;
    uint256 private constant ACCOUNT_LEAF = 72;

    /// @dev A tree, as it should be: the first `count` leaves are there.
    struct Tree {
        bytes32 root;
        uint256 depth;
        uint256 count;
        uint256 leaf; // bytes
    }

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        Cursor memory cursor = Cursors.over(proof);
        Tree memory tree = _findTree(accused, claim, cursor);
        uint256 index = cursor.takeNumber(4);
        uint256 siblings = 32 * tree.depth;
        if (cursor.left() < siblings) revert BadProof();
        bytes calldata leaf = cursor.takeBytes(cursor.left() - siblings);
        bytes32 hash = leaf.length == 0 ? bytes32(0) : Trees.leafHash(leaf);
        if (cursor.takeRoot(hash, index, tree.depth) != tree.root) revert BadProof();
        if (leaf.length == (index < tree.count ? tree.leaf : 0)) revert NotGuilty();
    }

    function _findTree(
        Case calldata accused,
        uint8 claim,
        Cursor memory cursor
    ) private view returns (Tree memory) {
        IStatements.Statement calldata statement = accused.statement;
        if (claim == INPUTS) return Tree(statement.inputsRoot, ROWS_DEPTH, accused.result.inputs, INPUT_LEAF);
        if (claim == ROWS) return Tree(statement.rowsRoot, ROWS_DEPTH, statement.rows, ROW_LEAF);
        if (claim == ACCOUNTS)
            return Tree(accused.result.accountsRoot, ROWS_DEPTH, statement.accounts, ACCOUNT_LEAF);

        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        Tree memory tree = Tree(0, rules.bodyDepth, rules.chunks, GRADIENT_LEAF);
        if (claim == AGGREGATE) (tree.root, tree.leaf) = (statement.aggregateRoot, AGGREGATE_LEAF);
        else if (claim == MODEL) (tree.root, tree.leaf) = (statement.modelRoot, MODEL_LEAF);
        else if (claim == STEP)
            (tree.root, tree.leaf) = (statement.newStepRoot, Codecs.leafOf(Codecs.ofSteps(rules.codec)));
        else if (claim == GATE) (tree.root, tree.count) = (statement.gateRoot, rules.scoredChunks);
        else if (claim == GRADIENT) (tree.root, tree.count) = (statement.gradientRoot, rules.scoredChunks);
        else if (claim == UPDATE) {
            uint256 input = cursor.takeNumber(4);
            tree.root = bytes32(cursor.takeLeaf(INPUT_LEAF, statement.inputsRoot, input, ROWS_DEPTH));
            (tree.count, tree.leaf) = (Codecs.countOf(rules.codec, rules.chunks), Codecs.leafOf(rules.codec));
        } else revert BadShape();
        return tree;
    }
}
