// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IDemands } from "../interfaces/IDemands.sol";
import { IProver } from "../interfaces/IProver.sol";
import { Cursor, Cursors } from "../provers/Cursors.sol";
import { ROWS_DEPTH } from "../provers/Prover.sol";
import { Row, Rows } from "../provers/Rows.sol";
import { Trees } from "../Trees.sol";

/// @title Checks what is shown of a demanded place: docs/disputes.md, "Demands"
library Openings {
    uint256 private constant INPUT_LEAF = 56; // bytes
    uint256 private constant STEP_HEIGHT = 5; // running totals have a leaf for each 2^5 chunks

    /// @notice Reverts unless a tree has such a place.
    /// @param place the place
    /// @param bodyDepth depth of the task's body trees
    function requirePlace(IDemands.Place calldata place, uint8 bodyDepth) internal pure {
        uint256 outer = _isNested(place.tree) ? ROWS_DEPTH : 0;
        uint256 depth = _depthOf(place.tree, bodyDepth);
        if (place.outer >> outer != 0 || place.index >> depth != 0) revert IDemands.NoSuchPlace(place);
    }

    /// @notice Reverts unless the content is what a result has at a place: a leaf of any length or none, and its siblings. Where
    /// the result states that there is no such tree and may do so, nothing is shown.
    /// @param place the place
    /// @param bodyDepth depth of the task's body trees
    /// @param accused the result and its statement
    /// @param content what is shown
    function requireShown(
        IDemands.Place calldata place,
        uint8 bodyDepth,
        IProver.Case memory accused,
        bytes calldata content
    ) internal view {
        Cursor memory cursor = Cursors.over(content);
        if (place.tree >= IDemands.Tree.Medians) {
            bool medians = place.tree == IDemands.Tree.Medians;
            bytes32 hash = medians ? accused.statement.mediansHash : accused.statement.usedShards;
            if (sha256(content) != hash) revert IProver.BadProof();
            return;
        }
        (bytes32 root, bool none) = _isNested(place.tree)
            ? _takeOuter(place, accused, cursor)
            : _rootOf(place.tree, accused);
        if (!none) {
            uint256 depth = _depthOf(place.tree, bodyDepth);
            if (cursor.left() < 32 * depth) revert IProver.BadProof();
            bytes calldata leaf = cursor.takeBytes(cursor.left() - 32 * depth);
            bytes32 hash = leaf.length == 0 ? bytes32(0) : Trees.leafHash(leaf);
            if (cursor.takeRoot(hash, place.index, depth) != root) revert IProver.BadProof();
        }
        cursor.requireEnd();
    }

    /// @dev Reads the row or input that a tree is of. A tree is none where the row or input is absent, or where a row has no
    /// product: an update that does not count, or that weighs nothing.
    function _takeOuter(
        IDemands.Place calldata place,
        IProver.Case memory accused,
        Cursor memory cursor
    ) private view returns (bytes32 root, bool none) {
        bool ofInput = place.tree == IDemands.Tree.Update;
        bytes32 outer = ofInput ? accused.statement.inputsRoot : accused.statement.rowsRoot;
        if (cursor.takeNumber(1) == 0) {
            if (cursor.takeRoot(0, place.outer, ROWS_DEPTH) != outer) revert IProver.BadProof();
            return (0, true);
        }
        uint256 length = ofInput ? INPUT_LEAF : Rows.LEAF;
        bytes calldata leaf = cursor.takeLeaf(length, outer, place.outer, ROWS_DEPTH);
        if (ofInput) return (bytes32(leaf), false);
        Row memory row = Rows.read(leaf);
        if (place.tree == IDemands.Tree.RowGateTotals) {
            return (row.gateTotals, row.gateTotals == 0 && !Rows.counts(row));
        }
        return (row.scoreTotals, row.scoreTotals == 0 && row.weight == 0);
    }

    /// @dev There is no gradient without an input, and no last step without a square of it.
    function _rootOf(
        IDemands.Tree tree,
        IProver.Case memory accused
    ) private pure returns (bytes32 root, bool none) {
        if (tree == IDemands.Tree.Commits) return (accused.result.commitsRoot, false);
        if (tree == IDemands.Tree.Accounts) return (accused.result.accountsRoot, false);
        if (tree == IDemands.Tree.Rows) return (accused.statement.rowsRoot, false);
        if (tree == IDemands.Tree.Inputs) return (accused.statement.inputsRoot, false);
        if (tree == IDemands.Tree.Aggregate) return (accused.statement.aggregateRoot, false);
        if (tree == IDemands.Tree.Model) return (accused.statement.modelRoot, false);
        if (tree == IDemands.Tree.NewStep) return (accused.statement.newStepRoot, false);
        if (tree == IDemands.Tree.Step || tree == IDemands.Tree.StepTotals) {
            bool ofStep = tree == IDemands.Tree.Step;
            root = ofStep ? accused.statement.stepRoot : accused.statement.stepTotals;
            return (root, root == 0 && accused.statement.stepSquare == 0);
        }
        if (tree == IDemands.Tree.Gate) root = accused.statement.gateRoot;
        else if (tree == IDemands.Tree.Gradient) root = accused.statement.gradientRoot;
        else root = accused.statement.gateTotals;
        none = root == 0 && accused.result.inputs == 0;
    }

    function _isNested(IDemands.Tree tree) private pure returns (bool) {
        return tree >= IDemands.Tree.RowGateTotals && tree <= IDemands.Tree.Update;
    }

    function _depthOf(IDemands.Tree tree, uint8 bodyDepth) private pure returns (uint256) {
        if (tree <= IDemands.Tree.Accounts) return ROWS_DEPTH;
        if (tree <= IDemands.Tree.Step || tree == IDemands.Tree.Update) return bodyDepth;
        if (tree >= IDemands.Tree.Medians) return 0;
        return bodyDepth - Math.min(bodyDepth, STEP_HEIGHT);
    }
}
