// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { Cursor } from "./Cursors.sol";
import { ROWS_DEPTH } from "./Prover.sol";

/// @dev A row of a round: docs/protocol.md, "Rows".
struct Row {
    address node;
    address owner;
    uint256 stake;
    bytes32 commitment;
    bytes32 cid;
    bytes32 bodyRoot;
    bytes32 salt;
    uint256 status;
    uint256 forced; // 1 where it counts by a forced commit alone
    uint256 unitWeight;
    uint256 weight;
    int256 gateDot;
    uint256 square;
    int256 memory_;
    int256 dot;
    int256 stepDot;
    int256 score;
    uint256 account;
    // running totals, this row included
    uint256 inputs;
    uint256 passed;
    uint256 unitWeights;
    uint256 stakes;
    uint256 shares;
    // roots of running totals
    bytes32 gateTotals;
    bytes32 scoreTotals;
    uint256 fault; // of an invalid update: chunk, and value in it
}

/// @title Reads rows of a round
library Rows {
    uint256 internal constant LEAF = 455; // bytes

    uint256 internal constant OK = 0;
    uint256 internal constant LATE = 1;
    uint256 internal constant WITHHELD = 2;
    uint256 internal constant INVALID = 3;
    uint256 internal constant CLIPPED = 4;
    uint256 internal constant GATED = 5;
    uint256 internal constant UNAVAILABLE = 6;

    /// @dev Of a row whose update has no fault that its tree could show.
    uint256 internal constant NO_FAULT = type(uint40).max;

    /// @notice Reads a row of a round's, with its siblings.
    /// @param cursor the proof
    /// @param accused the round
    /// @param index the row's
    /// @return the row
    function take(
        Cursor memory cursor,
        IProver.Case calldata accused,
        uint256 index
    ) internal view returns (Row memory) {
        return read(cursor.takeLeaf(LEAF, accused.statement.rowsRoot, index, ROWS_DEPTH));
    }

    /// @notice Reads the row before another one; before the first, all is 0.
    /// @param cursor the proof
    /// @param accused the round
    /// @param index the other row's
    /// @return row the row before it
    function takeBefore(
        Cursor memory cursor,
        IProver.Case calldata accused,
        uint256 index
    ) internal view returns (Row memory row) {
        if (index != 0) row = take(cursor, accused, index - 1);
    }

    /// @notice Reads the last row, whose totals are those of the round; where there is none, all is 0.
    /// @param cursor the proof
    /// @param accused the round
    /// @return the last row
    function takeLast(
        Cursor memory cursor,
        IProver.Case calldata accused
    ) internal view returns (Row memory) {
        return takeBefore(cursor, accused, accused.statement.rows);
    }

    /// @notice Returns whether a row's update was weighed.
    /// @param row the row
    /// @return whether it was
    function counts(Row memory row) internal pure returns (bool) {
        return passed(row) || row.status == GATED;
    }

    /// @notice Returns whether a row's update passed the gate.
    /// @param row the row
    /// @return whether it did
    function passed(Row memory row) internal pure returns (bool) {
        return row.status == OK || row.status == CLIPPED;
    }

    /// @notice Returns whether a row says that its update was not there in time.
    /// @param row the row
    /// @return whether it does
    function isMissing(Row memory row) internal pure returns (bool) {
        return row.status == LATE || row.status == WITHHELD || row.status == UNAVAILABLE;
    }

    /// @notice Reads the fields of a leaf of 455 bytes.
    /// @param leaf the leaf
    /// @return row the row
    function read(bytes calldata leaf) internal pure returns (Row memory row) {
        row.node = address(bytes20(leaf));
        row.owner = address(bytes20(leaf[20:]));
        row.stake = uint128(bytes16(leaf[40:]));
        row.commitment = bytes32(leaf[56:]);
        row.cid = bytes32(leaf[88:]);
        row.bodyRoot = bytes32(leaf[120:]);
        row.salt = bytes32(leaf[152:]);
        row.status = uint8(leaf[184]);
        row.forced = uint8(leaf[185]);
        row.unitWeight = uint32(bytes4(leaf[186:]));
        row.weight = uint32(bytes4(leaf[190:]));
        row.gateDot = int256(uint256(bytes32(leaf[194:])));
        row.square = uint256(bytes32(leaf[226:]));
        row.memory_ = int64(uint64(bytes8(leaf[258:])));
        row.dot = int256(uint256(bytes32(leaf[266:])));
        row.stepDot = int256(uint256(bytes32(leaf[298:])));
        row.score = int64(uint64(bytes8(leaf[330:])));
        row.account = uint32(bytes4(leaf[338:]));
        row.inputs = uint32(bytes4(leaf[342:]));
        row.passed = uint32(bytes4(leaf[346:]));
        row.unitWeights = uint32(bytes4(leaf[350:]));
        row.stakes = uint128(bytes16(leaf[354:]));
        row.shares = uint128(bytes16(leaf[370:]));
        row.gateTotals = bytes32(leaf[386:]);
        row.scoreTotals = bytes32(leaf[418:]);
        row.fault = uint40(bytes5(leaf[450:]));
    }
}
