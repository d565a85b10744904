// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { IStatements } from "../interfaces/IStatements.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Trees } from "../Trees.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Dots } from "./Dots.sol";
import { Prover } from "./Prover.sol";
import { Row, Rows } from "./Rows.sol";

/// @title Shows a product of updates, gradients and the last step that is none: docs/disputes.md, "ProductsProver"
/// @notice A claim is a product and what is wrong of it: a step of its running totals; the end of these, which is not what is
/// stated; or their tree, which has another leaf than it should.
contract ProductsProver is Prover {
    /// @notice Product of the gate gradient with a row's update.
    uint8 public constant GATE_DOT = 0;
    /// @notice Square of a row's update.
    uint8 public constant SQUARE = 1;
    /// @notice Product of the reference gradient with a row's update.
    uint8 public constant DOT = 2;
    /// @notice Product of the last step with a row's update.
    uint8 public constant STEP_DOT = 3;
    /// @notice Square of the gate gradient.
    uint8 public constant GATE_SQUARE = 4;
    /// @notice Product of the reference gradient with the last step.
    uint8 public constant GRADIENT_ALONG = 5;
    /// @notice Square of the last step.
    uint8 public constant STEP_SQUARE = 6;

    uint8 private constant PRODUCTS = 7;
    /// @dev What is wrong, in products: a step, the end (1), a leaf.
    uint8 private constant STEP = 0;
    uint8 private constant LEAF = 2;

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        uint8 fault = claim / PRODUCTS;
        if (fault > LEAF) revert BadShape();
        Cursor memory cursor = Cursors.over(proof);
        (Dots.Product memory product, uint256 stated) = _takeProduct(accused, claim % PRODUCTS, cursor);
        bool guilty;
        if (fault == STEP) guilty = Dots.takeWrongStep(cursor, product);
        else if (fault == LEAF) guilty = _isLeafWrong(cursor, product);
        else guilty = product.totals == 0 || Dots.takeEnd(cursor, product) != stated;
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    /// @dev Reads a leaf of totals of any length, or that it is absent.
    function _isLeafWrong(Cursor memory cursor, Dots.Product memory product) private view returns (bool) {
        (uint256 depth, uint256 count) = Dots.measureTotals(product);
        uint256 index = cursor.takeNumber(4);
        if (cursor.left() < 32 * depth) revert BadProof();
        bytes calldata leaf = cursor.takeBytes(cursor.left() - 32 * depth);
        bytes32 hash = leaf.length == 0 ? bytes32(0) : Trees.leafHash(leaf);
        if (cursor.takeRoot(hash, index, depth) != product.totals) revert BadProof();
        return leaf.length != (index < count ? Dots.leafOf(product) : 0);
    }

    /// @dev Finds what a product is of, and reads the row that it belongs to. That a row without one states none is for other
    /// provers, and so is a statement without gradients or last step.
    function _takeProduct(
        Case calldata accused,
        uint8 number,
        Cursor memory cursor
    ) private view returns (Dots.Product memory product, uint256 stated) {
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        (product.depth, product.chunks, product.leftChunks) = (
            rules.bodyDepth,
            rules.scoredChunks,
            rules.scoredChunks
        );
        if (number > STEP_DOT) stated = _fillOfStatement(accused, number, product);
        else {
            (product.kind, product.leftChunks) = (rules.codec, rules.chunks);
            Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
            stated = _fillOfRow(accused.statement, row, number, product);
        }
    }

    function _fillOfRow(
        IStatements.Statement calldata statement,
        Row memory row,
        uint8 number,
        Dots.Product memory product
    ) private pure returns (uint256 stated) {
        bool ofGate = number < DOT;
        if (!Rows.counts(row) || (!ofGate && row.weight == 0)) revert BadProof();
        if (number == STEP_DOT && statement.stepRoot == 0) revert BadProof();
        (product.width, product.column) = (2, number % 2);
        product.totals = ofGate ? row.gateTotals : row.scoreTotals;
        product.left = row.bodyRoot;
        if (number == SQUARE) return row.square;
        if (number == GATE_DOT) {
            product.right = statement.gateRoot;
            return uint256(row.gateDot);
        }
        product.right = number == DOT ? statement.gradientRoot : statement.stepRoot;
        return uint256(number == DOT ? row.dot : row.stepDot);
    }

    function _fillOfStatement(
        Case calldata accused,
        uint8 number,
        Dots.Product memory product
    ) private pure returns (uint256 stated) {
        product.kind = Dots.GRADIENT;
        if (number == GATE_SQUARE) {
            if (accused.result.inputs == 0) revert BadProof();
            (product.width, product.totals) = (1, accused.statement.gateTotals);
            product.left = accused.statement.gateRoot;
            return accused.statement.gateSquare;
        }
        if (accused.statement.stepRoot == 0) revert BadProof();
        (product.width, product.totals) = (2, accused.statement.stepTotals);
        product.left = accused.statement.stepRoot;
        if (number == STEP_SQUARE) {
            product.column = 1;
            return accused.statement.stepSquare;
        }
        product.right = accused.statement.gradientRoot;
        return uint256(accused.statement.gradientAlong);
    }
}
