// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Account, Accounts } from "./Accounts.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Parent, Parents } from "./Parents.sol";
import { Prover } from "./Prover.sol";
import { Row, Rows } from "./Rows.sol";

/// @title Shows accounts that do not follow from those before and the round's rows: docs/disputes.md, "AccountsProver"
contract AccountsProver is Prover {
    /// @notice There are fewer accounts than before.
    uint8 public constant FEWER = 0;
    /// @notice An account has another owner than before.
    uint8 public constant OWNER = 1;
    /// @notice An account that no row moved is new, or not as before.
    uint8 public constant UNMOVED = 2;
    /// @notice An account that a row moved is not what the row makes of it, or of another owner.
    uint8 public constant MOVED = 3;
    /// @notice An account's total does not follow from the one before and itself.
    uint8 public constant TOTAL = 4;
    /// @notice The result states another total than the last account.
    uint8 public constant REWARD_TOTAL = 5;
    /// @notice Two accounts have one owner.
    uint8 public constant TWICE = 6;
    /// @notice New accounts are not in the order of their rows.
    uint8 public constant ORDER = 7;

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        Cursor memory cursor = Cursors.over(proof);
        bool guilty = false;
        if (claim == FEWER) {
            guilty = accused.statement.accounts < Parents.take(cursor, coordinator, accused).accounts;
        } else if (claim == OWNER) guilty = _isOwnerChanged(accused, cursor);
        else if (claim == UNMOVED) guilty = _isMovedWithoutRow(accused, cursor);
        else if (claim == MOVED) guilty = _isMovedWrongly(accused, cursor);
        else if (claim == TOTAL) guilty = _isTotalWrong(accused, cursor);
        else if (claim == REWARD_TOTAL) guilty = _isRewardTotalWrong(accused, cursor);
        else if (claim == TWICE) guilty = _isTwice(accused, cursor);
        else if (claim == ORDER) guilty = _isOutOfOrder(accused, cursor);
        else revert BadShape();
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    function _isOwnerChanged(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        (, Account memory account, Account memory before) = _takeBoth(accused, cursor);
        return before.owner != address(0) && account.owner != before.owner;
    }

    function _isMovedWithoutRow(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        (, Account memory account, Account memory before) = _takeBoth(accused, cursor);
        if (account.row != Accounts.NO_ROW) revert BadProof();
        if (before.owner == address(0)) return true;
        return
            account.cumulative != before.cumulative ||
            account.debt != before.debt ||
            account.memory_ != before.memory_;
    }

    function _isMovedWrongly(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        (uint256 index, Account memory account, Account memory before) = _takeBoth(accused, cursor);
        if (account.row == Accounts.NO_ROW) revert BadProof();
        if (account.row >= accused.statement.rows) return true;
        Row memory row = Rows.take(cursor, accused, account.row);
        uint256 reached = Rows.takeBefore(cursor, accused, account.row).shares;
        uint256 total = Rows.takeLast(cursor, accused).shares;
        if (row.owner != account.owner || row.account != index) return true;
        int256 left = row.score - before.debt;
        if (account.debt != (left < 0 ? -left : int256(0))) return true;
        if (account.memory_ != row.memory_) return true;
        return account.cumulative != before.cumulative + _reward(accused, reached, row.shares, total);
    }

    /// @dev Returns the part of the budget between two running totals of shares; totals that fall or pass the last one are
    /// faults of the rows.
    function _reward(
        Case calldata accused,
        uint256 start,
        uint256 end,
        uint256 total
    ) private view returns (uint256) {
        if (total == 0) return 0;
        if (start > end || end > total) revert BadProof();
        uint256 budget = coordinator.rulesOfRound(accused.task, accused.round).roundBudget;
        return (budget * end) / total - (budget * start) / total;
    }

    function _isTotalWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        bytes32 root = accused.result.accountsRoot;
        Account memory account = Accounts.take(cursor, root, index);
        uint256 before = index == 0 ? 0 : Accounts.take(cursor, root, index - 1).total;
        return account.total != before + account.cumulative;
    }

    function _isRewardTotalWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 count = accused.statement.accounts;
        uint256 total = count == 0 ? 0 : Accounts.take(cursor, accused.result.accountsRoot, count - 1).total;
        return accused.result.rewardTotal != total;
    }

    function _isTwice(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        (uint256 first, uint256 second) = (cursor.takeNumber(4), cursor.takeNumber(4));
        if (first >= second) revert BadProof();
        bytes32 root = accused.result.accountsRoot;
        address owner = Accounts.take(cursor, root, first).owner; // before the second one, as they follow each other
        return Accounts.take(cursor, root, second).owner == owner;
    }

    function _isOutOfOrder(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        Parent memory parent = Parents.take(cursor, coordinator, accused);
        if (index <= parent.accounts) revert BadProof();
        bytes32 root = accused.result.accountsRoot;
        uint256 row = Accounts.take(cursor, root, index).row;
        return Accounts.take(cursor, root, index - 1).row >= row;
    }

    /// @dev Reads an account, and what it was after the round's parent; all 0 where it is new.
    function _takeBoth(
        Case calldata accused,
        Cursor memory cursor
    ) private view returns (uint256 index, Account memory account, Account memory before) {
        index = cursor.takeNumber(4);
        account = Accounts.take(cursor, accused.result.accountsRoot, index);
        Parent memory parent = Parents.take(cursor, coordinator, accused);
        before = Accounts.takeIfAny(cursor, parent.accountsRoot, index, parent.accounts);
    }
}
