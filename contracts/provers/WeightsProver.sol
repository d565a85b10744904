// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IProver } from "../interfaces/IProver.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Account, Accounts } from "./Accounts.sol";
import { Arithmetic } from "./Arithmetic.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Parent, Parents } from "./Parents.sol";
import { Prover } from "./Prover.sol";
import { Row, Rows } from "./Rows.sol";

/// @title Shows a weight that does not follow from stake, memory and norm: docs/disputes.md, "WeightsProver"
contract WeightsProver is Prover {
    /// @notice A row's unit weight is not its stake's part.
    uint8 public constant UNIT = 0;
    /// @notice A row's memory does not follow from the owner's before and its cosine.
    uint8 public constant MEMORY = 1;
    /// @notice A row passed the gate and should not have, or the other way round.
    uint8 public constant GATE = 2;
    /// @notice A row's weight or status does not follow from unit weight, norm and the median norm, or it weighs without counting.
    uint8 public constant CLIP = 3;
    /// @notice The list of medians has not what the rows have.
    uint8 public constant LIST = 4;
    /// @notice The median norm is not that of the list.
    uint8 public constant NORM_MEDIAN = 5;
    /// @notice The median of the parts along the last step is not that of the list.
    uint8 public constant ALONG_MEDIAN = 6;

    uint256 private constant WEIGHT_UNITS = 1 << 20;
    uint256 private constant GATE_DEVIATIONS = 5;
    uint256 private constant CHUNK = 256; // values
    uint256 private constant ENTRY = 48; // bytes: unit weight 4, weight 4, norm 8, part along the last step 32

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        Cursor memory cursor = Cursors.over(proof);
        bool guilty = false;
        if (claim == UNIT) guilty = _isUnitWrong(accused, cursor);
        else if (claim == MEMORY) guilty = _isMemoryWrong(accused, cursor);
        else if (claim == GATE) guilty = _isGateWrong(accused, cursor);
        else if (claim == CLIP) guilty = _isWeightWrong(accused, cursor);
        else if (claim == LIST) guilty = _isListWrong(accused, cursor);
        else if (claim == NORM_MEDIAN) guilty = _isNormMedianWrong(accused, cursor);
        else if (claim == ALONG_MEDIAN) guilty = _isAlongMedianWrong(accused, cursor);
        else revert BadShape();
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    /// @dev What of its stake counts is what the row adds to the running total, which `RowsProver` is for.
    function _isUnitWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        Row memory row = Rows.take(cursor, accused, index);
        Row memory before = Rows.takeBefore(cursor, accused, index);
        Row memory last = Rows.takeLast(cursor, accused);
        if (row.stakes < before.stakes || last.stakes == 0) return row.unitWeight != 0;
        return row.unitWeight != ((row.stakes - before.stakes) * WEIGHT_UNITS) / last.stakes;
    }

    function _isMemoryWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        Parent memory parent = Parents.take(cursor, coordinator, accused);
        Account memory before = Accounts.takeIfAny(cursor, parent.accountsRoot, row.account, parent.accounts);
        if (before.owner != row.owner && before.owner != address(0)) revert BadProof(); // another fault
        if (!Rows.counts(row)) return row.memory_ != before.memory_;
        if (Arithmetic.isDotTooLarge(row.gateDot) || Arithmetic.isSquareTooLarge(row.square)) return true;
        int256 cosine = Arithmetic.cosine(row.gateDot, row.square, accused.statement.gateSquare);
        return row.memory_ != cosine + before.memory_ / 2; // rounded towards zero, as the protocol has it
    }

    function _isGateWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        uint256 values = CHUNK * coordinator.rulesOfRound(accused.task, accused.round).scoredChunks;
        uint256 threshold = (GATE_DEVIATIONS * Arithmetic.MILLION) / Math.sqrt(values);
        return Rows.counts(row) && Rows.passed(row) != (row.memory_ > int256(threshold));
    }

    function _isWeightWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        if (row.status > Rows.UNAVAILABLE) return true;
        if (!Rows.counts(row))
            return row.weight != 0 || row.unitWeight != 0 || row.gateDot != 0 || row.square != 0;
        if (!Rows.passed(row)) return row.weight != 0;
        uint256 norm = Math.sqrt(row.square);
        uint256 median = accused.statement.normMedian;
        if (row.unitWeight == 0 || norm <= median)
            return row.status != Rows.OK || row.weight != row.unitWeight;
        return row.status != Rows.CLIPPED || row.weight != (row.unitWeight * median) / norm;
    }

    function _isListWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        Row memory last = Rows.takeLast(cursor, accused);
        bytes calldata list = _takeList(accused, cursor);
        if (list.length != ENTRY * last.passed) return true;
        if (!Rows.passed(row) || row.passed == 0 || row.passed > last.passed) revert BadProof(); // another fault
        uint256 norm = Math.sqrt(row.square);
        (bool possible, int256 part) = Arithmetic.partAlong(
            accused.statement.gradientAlong,
            accused.statement.stepSquare,
            row.stepDot,
            row.weight,
            row.unitWeight
        );
        if (!possible || norm > type(uint64).max) return true;
        uint256 at = ENTRY * (row.passed - 1);
        bytes memory expected = abi.encodePacked(
            uint32(row.unitWeight),
            uint32(row.weight),
            uint64(norm),
            part
        );
        return keccak256(list[at:at + ENTRY]) != keccak256(expected);
    }

    function _isNormMedianWrong(Case calldata accused, Cursor memory cursor) private pure returns (bool) {
        bytes calldata list = _takeList(accused, cursor);
        uint256 stated = accused.statement.normMedian;
        (uint256 all, uint256 below, uint256 upTo) = (0, 0, 0);
        for (uint256 at = 0; at < list.length; at += ENTRY) {
            uint256 unit = uint32(bytes4(list[at:]));
            uint256 norm = uint64(bytes8(list[at + 8:]));
            all += unit;
            if (norm < stated) below += unit;
            if (norm <= stated) upTo += unit;
        }
        return all == 0 ? stated != 0 : !_isMedian(all, below, upTo);
    }

    function _isAlongMedianWrong(Case calldata accused, Cursor memory cursor) private pure returns (bool) {
        bytes calldata list = _takeList(accused, cursor);
        int256 stated = accused.statement.alongMedian;
        (uint256 all, uint256 below, uint256 upTo) = (0, 0, 0);
        for (uint256 at = 0; at < list.length; at += ENTRY) {
            if (bytes4(list[at + 4:]) == 0) continue; // what weighs nothing has no part
            uint256 unit = uint32(bytes4(list[at:]));
            int256 part = int256(uint256(bytes32(list[at + 16:])));
            all += unit;
            if (part < stated) below += unit;
            if (part <= stated) upTo += unit;
        }
        if (all == 0 || stated < 0) return stated != 0;
        // a median below 0 counts as 0
        return stated == 0 ? 2 * upTo < all : !_isMedian(all, below, upTo);
    }

    /// @dev Whether a value is the least at which the weights up to it reach half.
    function _isMedian(uint256 all, uint256 below, uint256 upTo) private pure returns (bool) {
        return 2 * below < all && 2 * upTo >= all;
    }

    function _takeList(
        Case calldata accused,
        Cursor memory cursor
    ) private pure returns (bytes calldata list) {
        list = cursor.takeBytes(cursor.left());
        if (sha256(list) != accused.statement.mediansHash) revert BadProof();
    }
}
