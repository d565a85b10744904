// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IProver } from "../interfaces/IProver.sol";
import { ISupernodeRegistry } from "../interfaces/ISupernodeRegistry.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Accounts, Account } from "./Accounts.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Prover, ROWS_DEPTH } from "./Prover.sol";
import { Row, Rows } from "./Rows.sol";

/// @title Where a coordinator's stakes are
interface IStakes {
    /// @notice Returns the registry.
    /// @return the SupernodeRegistry
    function registry() external view returns (ISupernodeRegistry);
}

/// @title Shows rows that are not those of the round's commits, or whose totals do not add up: docs/disputes.md, "RowsProver"
contract RowsProver is Prover {
    /// @notice Two rows that follow each other are not in rising order of node.
    uint8 public constant ORDER = 0;
    /// @notice A row's owner or stake is not that of the registry before the round opened.
    uint8 public constant STAKE = 1;
    /// @notice A row does not open its commitment, or says that nobody did and has what would.
    uint8 public constant REVEAL = 2;
    /// @notice A row that counts is not the input that it should be.
    uint8 public constant INPUT = 3;
    /// @notice A row's running totals do not follow from the row before and itself.
    uint8 public constant TOTALS = 4;
    /// @notice The result states another number of inputs or sum of weights than the last row.
    uint8 public constant SUMS = 5;
    /// @notice A commit of the tree has no row.
    uint8 public constant DROPPED = 6;
    /// @notice A row's node has no such commit, neither in the tree nor forced, or has it otherwise than the row says.
    uint8 public constant UNCOMMITTED = 7;
    /// @notice A row points to an account that is not its owner's, or does not point back.
    uint8 public constant ACCOUNT = 8;
    /// @notice A forced commit has no row.
    uint8 public constant FORCED = 9;

    uint256 private constant INPUT_LEAF = 56;
    uint256 private constant COMMIT_LEAF = 118;
    uint256 private constant FORCED_COMMIT = 52; // bytes: node and commitment
    uint8 private constant COMMIT_KIND = 0;

    /// @dev A leaf of the tree of commits. An absent one has a node behind all others, and no commit.
    struct Slot {
        uint256 node;
        bool commits;
        bytes32 commitment;
    }

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        Cursor memory cursor = Cursors.over(proof);
        bool guilty = false;
        if (claim == ORDER) guilty = _isOutOfOrder(accused, cursor);
        else if (claim == STAKE) guilty = _isStakeWrong(accused, cursor);
        else if (claim == REVEAL) guilty = _isRevealWrong(accused, cursor);
        else if (claim == INPUT) guilty = _isInputWrong(accused, cursor);
        else if (claim == TOTALS) guilty = _isTotalWrong(accused, cursor);
        else if (claim == SUMS) guilty = _isSumWrong(accused, cursor);
        else if (claim == DROPPED || claim == FORCED) guilty = _isDropped(accused, cursor, claim == FORCED);
        else if (claim == UNCOMMITTED) guilty = _isUncommitted(accused, cursor);
        else if (claim == ACCOUNT) guilty = _isAccountWrong(accused, cursor);
        else revert BadShape();
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    function _isOutOfOrder(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        if (index == 0) revert BadProof();
        Row memory row = Rows.take(cursor, accused, index);
        return Rows.takeBefore(cursor, accused, index).node >= row.node;
    }

    function _isStakeWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        ISupernodeRegistry registry = IStakes(address(coordinator)).registry();
        if (registry.ownerOf(row.node) != row.owner) return true;
        uint256 opened = coordinator.roundOf(accused.task, accused.round).openBlock;
        return registry.stakeAt(row.node, opened - 1) != row.stake;
    }

    function _isRevealWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        if (row.status == Rows.WITHHELD) return row.cid | row.bodyRoot | row.salt != 0;
        return keccak256(abi.encode(row.cid, row.bodyRoot, row.salt)) != row.commitment;
    }

    function _isInputWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        // a row that counts and is no input has a wrong total
        if (!Rows.counts(row) || row.inputs == 0) revert BadProof();
        bytes32 root = accused.statement.inputsRoot;
        bytes calldata leaf = cursor.takeLeaf(INPUT_LEAF, root, row.inputs - 1, ROWS_DEPTH);
        return keccak256(leaf) != keccak256(abi.encodePacked(row.bodyRoot, row.node, uint32(row.weight)));
    }

    /// @dev The shares, which depend on debts, are those of `ScoresProver`.
    function _isTotalWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        Row memory row = Rows.take(cursor, accused, index);
        Row memory before = Rows.takeBefore(cursor, accused, index);
        bool passed = Rows.passed(row);
        if (row.inputs != before.inputs + (Rows.counts(row) ? 1 : 0)) return true;
        if (row.passed != before.passed + (passed ? 1 : 0)) return true;
        if (row.unitWeights != before.unitWeights + (passed ? row.unitWeight : 0)) return true;
        (bool eligible, uint256 stake) = _countedStake(accused, row);
        return !eligible || row.stakes != before.stakes + stake;
    }

    /// @dev Returns how much of a row's stake counts; whose stake is below the task's minimum may not count.
    function _countedStake(
        Case calldata accused,
        Row memory row
    ) private view returns (bool eligible, uint256 stake) {
        if (!Rows.counts(row)) return (true, 0);
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        if (row.stake < rules.minStake) return (false, 0);
        return (true, rules.admittedOnly ? 1 : Math.min(row.stake, rules.maxStake));
    }

    function _isSumWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory last = Rows.takeLast(cursor, accused);
        return accused.result.inputs != last.inputs || accused.result.weightSum != last.unitWeights;
    }

    /// @dev The row that a commit has may be of another commitment; that of a forced one, which the tree may have too, is for
    /// `UNCOMMITTED`.
    function _isDropped(
        Case calldata accused,
        Cursor memory cursor,
        bool forced
    ) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        if (forced) return _isForcedDropped(accused, cursor, FORCED_COMMIT * index);
        Slot memory slot = _takeCommit(accused, cursor, index);
        if (!slot.commits) revert BadProof();
        (bool found, bytes32 commitment) = _takeRowOf(accused, cursor, slot.node);
        return !found || commitment != slot.commitment;
    }

    function _isForcedDropped(
        Case calldata accused,
        Cursor memory cursor,
        uint256 at
    ) private view returns (bool) {
        bytes calldata forced = _takeForced(accused, cursor);
        if (at >= forced.length) revert BadProof();
        (bool found, ) = _takeRowOf(accused, cursor, uint160(bytes20(forced[at:])));
        return !found;
    }

    /// @dev Whose commit is in the tree counts by that. Of another one the leaves around its node show that it has none there.
    function _isUncommitted(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        bytes calldata forced = _takeForced(accused, cursor);
        uint256 index = cursor.takeNumber(4);
        Slot memory slot = _takeSlot(accused, cursor, index);
        uint256 node = uint160(row.node);
        if (slot.node == node && slot.commits) return slot.commitment != row.commitment || row.forced != 0;
        if (slot.node < node) revert BadProof();
        if (slot.node > node && index != 0 && _takeSlot(accused, cursor, index - 1).node >= node)
            revert BadProof();
        return row.forced != 1 || !_hasForced(forced, row);
    }

    function _isAccountWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        Row memory row = Rows.take(cursor, accused, index);
        if (row.account >= accused.statement.accounts) return true;
        Account memory account = Accounts.take(cursor, accused.result.accountsRoot, row.account);
        return account.owner != row.owner || account.row != index;
    }

    /// @dev Reads the row of a node; or, where it has none, those around its place.
    function _takeRowOf(
        Case calldata accused,
        Cursor memory cursor,
        uint256 node
    ) private view returns (bool found, bytes32 commitment) {
        (uint256 index, uint256 count) = (cursor.takeNumber(4), accused.statement.rows);
        if (index > count) revert BadProof();
        if (index != count) {
            Row memory row = Rows.take(cursor, accused, index);
            if (uint160(row.node) == node) return (true, row.commitment);
            if (uint160(row.node) < node) revert BadProof();
        }
        if (index != 0 && uint160(Rows.takeBefore(cursor, accused, index).node) >= node) revert BadProof();
    }

    /// @dev Reads all forced commits of the round.
    function _takeForced(
        Case calldata accused,
        Cursor memory cursor
    ) private pure returns (bytes calldata forced) {
        forced = cursor.takeBytes(FORCED_COMMIT * cursor.takeNumber(4));
        bytes32 hash = 0;
        for (uint256 at = 0; at < forced.length; at += FORCED_COMMIT)
            hash = keccak256(abi.encode(hash, address(bytes20(forced[at:])), bytes32(forced[at + 20:])));
        if (hash != accused.result.forcedHash) revert BadProof();
    }

    function _hasForced(bytes calldata forced, Row memory row) private pure returns (bool found) {
        bytes32 wanted = keccak256(abi.encodePacked(row.node, row.commitment));
        for (uint256 at = 0; at < forced.length; at += FORCED_COMMIT)
            if (keccak256(forced[at:at + FORCED_COMMIT]) == wanted) found = true;
    }

    function _takeCommit(
        Case calldata accused,
        Cursor memory cursor,
        uint256 index
    ) private view returns (Slot memory) {
        bytes calldata leaf = cursor.takeLeaf(COMMIT_LEAF, accused.result.commitsRoot, index, ROWS_DEPTH);
        return Slot(uint160(bytes20(leaf)), uint8(leaf[20]) == COMMIT_KIND, bytes32(leaf[21:]));
    }

    /// @dev Reads a leaf of the tree of commits, or that there is none.
    function _takeSlot(
        Case calldata accused,
        Cursor memory cursor,
        uint256 index
    ) private view returns (Slot memory) {
        if (cursor.takeNumber(1) != 0) return _takeCommit(accused, cursor, index);
        if (cursor.takeRoot(0, index, ROWS_DEPTH) != accused.result.commitsRoot) revert BadProof();
        return Slot(type(uint256).max, false, 0);
    }
}
