// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Account, Accounts } from "./Accounts.sol";
import { Arithmetic } from "./Arithmetic.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Parent, Parents } from "./Parents.sol";
import { Prover } from "./Prover.sol";
import { Row, Rows } from "./Rows.sol";

/// @title Shows a score that does not follow from its products, or a share that does not follow from it: docs/disputes.md,
/// "ScoresProver"
contract ScoresProver is Prover {
    /// @notice A row's score is not what its products, its weight and the median make of it.
    uint8 public constant SCORE = 0;
    /// @notice A row's share is not what its score leaves after the owner's debt.
    uint8 public constant SHARE = 1;

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        Cursor memory cursor = Cursors.over(proof);
        bool guilty = false;
        if (claim == SCORE) guilty = _isScoreWrong(accused, cursor);
        else if (claim == SHARE) guilty = _isShareWrong(accused, cursor);
        else revert BadShape();
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    function _isScoreWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        if (row.weight == 0) return row.score != 0 || row.dot != 0 || row.stepDot != 0;
        uint256 weightSum = accused.result.weightSum;
        if (weightSum == 0 || Arithmetic.isDotTooLarge(row.dot)) return true;
        (bool possible, int256 excess) = _excess(accused, row);
        if (!possible) return true;
        int256 value = row.dot * int256(row.weight) - excess;
        return row.score != Arithmetic.score(value, weightSum);
    }

    /// @dev Returns what of a value lies along the last step beyond the median, times the unit weight.
    function _excess(
        Case calldata accused,
        Row memory row
    ) private pure returns (bool possible, int256 excess) {
        uint256 square = accused.statement.stepSquare;
        if (square == 0) return (row.stepDot == 0, 0);
        int256 part;
        (possible, part) = Arithmetic.partAlong(
            accused.statement.gradientAlong,
            square,
            row.stepDot,
            row.weight,
            row.unitWeight
        );
        int256 median = accused.statement.alongMedian;
        if (part > median) {
            if (Arithmetic.isDotTooLarge(median)) return (false, 0);
            excess = (part - median) * int256(row.unitWeight);
        }
    }

    function _isShareWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        Row memory row = Rows.take(cursor, accused, index);
        Row memory before = Rows.takeBefore(cursor, accused, index);
        Parent memory parent = Parents.take(cursor, coordinator, accused);
        Account memory account = Accounts.takeIfAny(
            cursor,
            parent.accountsRoot,
            row.account,
            parent.accounts
        );
        if (account.owner != row.owner && account.owner != address(0)) revert BadProof(); // another fault
        int256 left = row.score - account.debt;
        return row.shares != before.shares + (left > 0 ? uint256(left) : 0);
    }
}
