// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Hashes } from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

import { Attesters } from "./Attesters.sol";
import { IForcedReveals } from "./interfaces/IForcedReveals.sol";
import { IMembers } from "./interfaces/IMembers.sol";
import { IRounds } from "./interfaces/IRounds.sol";
import { ITrainingCoordinator } from "./interfaces/ITrainingCoordinator.sol";

/// @title The record of reveals by way of the chain
/// @notice Beside the coordinator: a round without forced reveals never calls it, and pays nothing for it.
contract ForcedReveals is IForcedReveals {
    /// @dev The last part of the reveal period, one of so many, in which the Superlink sees what was forced before it settles.
    uint256 private constant MARGIN = 8;

    /// @dev What a node opened, and who attested that it is there.
    struct Reveal {
        bytes32 commitment;
        uint256 attestations;
        mapping(address member => bool) attested;
    }

    /// @notice The coordinator of the rounds.
    ITrainingCoordinator public immutable coordinator;

    /// @inheritdoc IForcedReveals
    mapping(uint64 task => mapping(uint64 round => uint256)) public countOf;

    mapping(uint64 task => mapping(uint64 round => mapping(address node => Reveal))) private _reveals;

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) {
        coordinator = coordinator_;
    }

    /// @inheritdoc IForcedReveals
    function reveal(uint64 task, uint64 round, bytes32 cid, bytes32 bodyRoot, bytes32 salt) external {
        // slither-disable-next-line unused-return (the state before the deadline)
        _requireClosed(task, round, MARGIN);
        _requireMember(task, round);
        Reveal storage one = _reveals[task][round][msg.sender];
        if (one.commitment != 0) revert AlreadyRevealed(task, round, msg.sender);

        bytes32 commitment = keccak256(abi.encode(cid, bodyRoot, salt));
        one.commitment = commitment;
        ++countOf[task][round];
        emit ForcedReveal(task, round, msg.sender, commitment, cid, bodyRoot, salt);
    }

    /// @inheritdoc IForcedReveals
    function attest(uint64 task, uint64 round, address node, bytes32 commitsRoot, bytes32 seed) external {
        IRounds.Round memory r = _requireClosed(task, round, type(uint256).max);
        if (Hashes.efficientKeccak256(commitsRoot, seed) != r.closing) revert WrongClosing(task, round);
        _requireMember(task, round);
        if (msg.sender == node || !Attesters.isDrawn(seed, msg.sender, r.eligible - 1))
            revert NotDrawn(task, round, msg.sender);
        Reveal storage one = _reveals[task][round][node];
        if (one.commitment == 0) revert NotRevealed(task, round, node);
        if (one.attested[msg.sender]) revert AlreadyAttested(task, round, node, msg.sender);

        one.attested[msg.sender] = true;
        ++one.attestations;
        emit Attested(task, round, node, msg.sender);
    }

    /// @inheritdoc IForcedReveals
    function commitmentOf(uint64 task, uint64 round, address node) external view returns (bytes32) {
        return _reveals[task][round][node].commitment;
    }

    /// @inheritdoc IForcedReveals
    function attestationsOf(uint64 task, uint64 round, address node) external view returns (uint256) {
        return _reveals[task][round][node].attestations;
    }

    /// @inheritdoc IForcedReveals
    function isAttested(uint64 task, uint64 round, address node) external view returns (bool) {
        uint256 attestations = _reveals[task][round][node].attestations;
        if (attestations == 0) return false;
        return attestations >= Attesters.countMost(coordinator.roundOf(task, round).eligible - 1);
    }

    /// @dev Reverts unless the round is closed, and it is before its reveal deadline less one part in `margin` of the period.
    function _requireClosed(
        uint64 task,
        uint64 round,
        uint256 margin
    ) private view returns (IRounds.Round memory r) {
        r = coordinator.roundOf(task, round);
        if (r.phase != IRounds.Phase.Closed) revert IRounds.WrongPhase(task, round, r.phase);
        uint256 period = coordinator.rulesOfRound(task, round).revealPeriod;
        uint256 end = r.closedAt + period - period / margin;
        if (block.timestamp >= end) revert IRounds.TooLate(end);
    }

    function _requireMember(uint64 task, uint64 round) private view {
        if (!coordinator.wasMember(task, msg.sender, round)) revert IMembers.NotJoined(task, msg.sender);
    }
}
