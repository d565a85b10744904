// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IForcedReveals } from "../interfaces/IForcedReveals.sol";
import { IProver } from "../interfaces/IProver.sol";
import { IRounds } from "../interfaces/IRounds.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Codecs } from "./codecs/Codecs.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Prover } from "./Prover.sol";
import { Row, Rows } from "./Rows.sol";
import { Signatures } from "./Signatures.sol";

/// @title Shows that an update which a result does not count was there: docs/disputes.md, "AvailabilityProver"
contract AvailabilityProver is Prover {
    /// @notice The Superlink signed that it has a valid update, and the row says otherwise.
    uint8 public constant RECEIPT = 0;
    /// @notice The row says withheld or late of a reveal that was forced, or unavailable of one that was not.
    uint8 public constant FORCED = 1;
    /// @notice The result counts all commits as revealed, and the row's as not.
    uint8 public constant COUNT = 2;
    /// @notice A row has a fault that is not in its update, or is not invalid and has one.
    uint8 public constant FAULT = 3;
    /// @notice Most of the members that were drawn attested that they have an update, whose reveal was forced, and the row says that it
    /// is missing, or invalid without a fault.
    uint8 public constant ATTESTED = 4;

    uint256 private constant SIGNED = 65;
    bytes32 private constant REVEALED_TYPEHASH = keccak256(
        "Revealed(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment,bytes32 bodyRoot)"
    );

    /// @notice The record of reveals by way of the chain.
    IForcedReveals public immutable reveals;

    /// @param coordinator_ the TrainingCoordinator
    /// @param reveals_ the ForcedReveals of its rounds
    constructor(ITrainingCoordinator coordinator_, IForcedReveals reveals_) Prover(coordinator_) {
        reveals = reveals_;
    }

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        Cursor memory cursor = Cursors.over(proof);
        Row memory row = Rows.take(cursor, accused, cursor.takeNumber(4));
        bool guilty = false;
        if (claim == RECEIPT) guilty = _isReceiptBroken(accused, row, cursor);
        else if (claim == FORCED) guilty = _isForcedIgnored(accused, row);
        else if (claim == COUNT) guilty = _isCountWrong(accused, row);
        else if (claim == FAULT) guilty = _isFaultWrong(accused, row, cursor);
        else if (claim == ATTESTED) guilty = _isAttestationBroken(accused, row);
        else revert BadShape();
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    /// @dev The receipt is of a valid update. What makes it count for nothing then is too small a stake.
    function _isReceiptBroken(
        Case calldata accused,
        Row memory row,
        Cursor memory cursor
    ) private view returns (bool) {
        bytes32 bodyRoot = bytes32(cursor.takeNumber(32));
        bytes32 opening = coordinator.roundOf(accused.task, accused.round).opening;
        bytes32 message = keccak256(
            abi.encode(
                REVEALED_TYPEHASH,
                accused.task,
                accused.round,
                opening,
                row.node,
                row.commitment,
                bodyRoot
            )
        );
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        bytes calldata signature = cursor.takeBytes(SIGNED);
        if (!Signatures.isSignedBy(address(coordinator), rules.superlink, message, signature))
            revert BadProof();
        return Rows.isMissing(row) || _isInvalidWithStake(row, rules);
    }

    function _isForcedIgnored(Case calldata accused, Row memory row) private view returns (bool) {
        if (!Rows.isMissing(row)) return false;
        return _wasForced(accused, row) != (row.status == Rows.UNAVAILABLE);
    }

    /// @dev A fault that the row states is another claim's.
    function _isAttestationBroken(Case calldata accused, Row memory row) private view returns (bool) {
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        bool invalid = _isInvalidWithStake(row, rules) && row.fault == Rows.NO_FAULT;
        if (!invalid && !Rows.isMissing(row)) return false;
        return _wasForced(accused, row) && reveals.isAttested(accused.task, accused.round, row.node);
    }

    function _isInvalidWithStake(Row memory row, ITasks.TaskRules memory rules) private pure returns (bool) {
        return row.status == Rows.INVALID && row.stake >= rules.minStake;
    }

    /// @dev Nobody opens a commitment of 0.
    function _wasForced(Case calldata accused, Row memory row) private view returns (bool) {
        bytes32 opened = reveals.commitmentOf(accused.task, accused.round, row.node);
        return opened != 0 && opened == row.commitment;
    }

    /// @dev A result that counts all needs no reveal deadline.
    function _isCountWrong(Case calldata accused, Row memory row) private view returns (bool) {
        IRounds.Round memory round = coordinator.roundOf(accused.task, accused.round);
        uint256 total = round.commits + coordinator.forcedCountOf(accused.task, accused.round);
        return Rows.isMissing(row) && accused.result.revealed == total;
    }

    function _isFaultWrong(
        Case calldata accused,
        Row memory row,
        Cursor memory cursor
    ) private view returns (bool) {
        if (row.fault == Rows.NO_FAULT) return false;
        if (row.status != Rows.INVALID) return true;
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        (uint256 chunk, uint256 value) = (row.fault >> 8, row.fault & 0xff);
        if (chunk >= rules.chunks) return true;
        uint256 length = Codecs.leafOf(rules.codec);
        uint256 index = chunk / Codecs.chunksOf(rules.codec);
        bytes calldata leaf = cursor.takeLeaf(length, row.bodyRoot, index, rules.bodyDepth);
        // slither-disable-next-line unused-return (whether there is a value, not which)
        (, bool valid) = Codecs.read(rules.codec, leaf, chunk, value);
        return valid;
    }
}
