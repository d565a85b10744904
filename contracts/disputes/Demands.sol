// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Address } from "@openzeppelin/contracts/utils/Address.sol";

import { IDemands } from "../interfaces/IDemands.sol";
import { IProver } from "../interfaces/IProver.sol";
import { IRounds } from "../interfaces/IRounds.sol";
import { IStatements } from "../interfaces/IStatements.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Openings } from "./Openings.sol";
import { Windows } from "./Windows.sol";

/// @title The part of Disputes that hears demands
/// @notice Invariants: the balance is the sum of the bonds of open demands; whether a round becomes final, and when, no demand
/// decides but one that convicts; nobody keeps a Supernode from demanding what concerns it.
abstract contract Demands is IDemands {
    /// @dev An answer, and as long again for what follows it.
    uint256 private constant MOVES = 2;

    /// @dev Demands that may be open at a time: of each Supernode of the round, and of all others together.
    uint256 private constant OPEN_OF_MEMBER = 4;
    uint256 private constant OPEN_OF_OTHERS = 16;

    /// @dev Gas of the dearest answers, those of the list of medians and of all others, and how often a bond pays for it.
    uint256 private constant LIST_GAS = 5_000_000;
    uint256 private constant LEAF_GAS = 500_000;
    uint256 private constant MARGIN = 2;

    mapping(bytes32 key => Demand) private _demands;
    /// @dev Open demands of a round, by Supernode; those of all others are the zero address's.
    mapping(uint64 task => mapping(uint64 round => mapping(address member => uint256))) private _open;

    /// @inheritdoc IDemands
    function demand(uint64 task, uint64 round, Place calldata place) external payable {
        ITasks.TaskRules memory rules = _rounds().rulesOfRound(task, round);
        Openings.requirePlace(place, rules.bodyDepth);
        IRounds.Round memory r = _rounds().roundOf(task, round);
        uint256 time = Windows.requireTime(r, task, round, rules.challengePeriod, MOVES);
        uint256 deadline = block.timestamp + time;
        uint256 needed = demandBond(place.tree);
        if (msg.value < needed) revert DemandBondTooSmall(msg.value, needed);
        Demand storage one = _demands[_hashPlace(task, round, place)];
        if (one.demander != address(0)) revert AlreadyDemanded(place);
        bool ofMember = _rounds().wasMember(task, msg.sender, round);
        uint256 open = ++_open[task][round][ofMember ? msg.sender : address(0)];
        if (open > (ofMember ? OPEN_OF_MEMBER : OPEN_OF_OTHERS)) revert TooManyDemands(open - 1);

        one.demander = msg.sender;
        one.deadline = uint48(deadline);
        one.open = true;
        one.ofMember = ofMember;
        one.bond = msg.value;
        emit Demanded(task, round, msg.sender, place, msg.value, deadline);
    }

    /// @inheritdoc IDemands
    function answer(
        uint64 task,
        uint64 round,
        Place calldata place,
        IRounds.Result calldata result,
        IStatements.Statement calldata statement,
        bytes calldata content
    ) external {
        Demand storage one = _demandAt(task, round, place);
        uint256 deadline = one.deadline;
        if (block.timestamp >= deadline) revert IRounds.TooLate(deadline);
        // slither-disable-next-line unused-return (when the round opened does not matter)
        _requireStated(task, round, result, statement);
        _requireShown(IProver.Case(task, round, result, statement), place, content);

        uint256 bond = _close(task, round, one);
        emit Answered(task, round, msg.sender, place, content);
        Address.sendValue(payable(msg.sender), bond);
    }

    /// @inheritdoc IDemands
    function expire(uint64 task, uint64 round, Place calldata place) external {
        Demand storage one = _demandAt(task, round, place);
        IRounds.Phase phase = _rounds().roundOf(task, round).phase;
        bool convicted = phase == IRounds.Phase.Posted || phase == IRounds.Phase.Frozen;
        if (convicted && block.timestamp < one.deadline) revert IRounds.TooEarly(one.deadline);

        address demander = one.demander;
        uint256 bond = _close(task, round, one);
        emit Expired(task, round, demander, place, convicted);
        if (convicted) _punish(address(this), uint8(place.tree), task, round, demander);
        Address.sendValue(payable(convicted ? msg.sender : demander), bond);
    }

    /// @inheritdoc IDemands
    function demandOf(uint64 task, uint64 round, Place calldata place) external view returns (Demand memory) {
        return _demands[_hashPlace(task, round, place)];
    }

    /// @inheritdoc IDemands
    function demandBond(Tree tree) public view returns (uint256) {
        return MARGIN * (tree == Tree.Medians ? LIST_GAS : LEAF_GAS) * block.basefee;
    }

    /// @dev Voids the round and divides its Superlink's bond; `accuser` gets a part of it.
    function _punish(
        address prover,
        uint8 claim,
        uint64 task,
        uint64 round,
        address accuser
    ) internal virtual;

    /// @dev Reverts unless the round stands with this result, and the result with this statement.
    /// @return openedAt when the round opened
    function _requireStated(
        uint64 task,
        uint64 round,
        IRounds.Result calldata result,
        IStatements.Statement calldata statement
    ) internal view virtual returns (uint256 openedAt);

    /// @dev Returns the coordinator.
    function _rounds() internal view virtual returns (ITrainingCoordinator);

    /// @dev Takes a demand off the open ones, and returns the bond that is to be paid out.
    function _close(uint64 task, uint64 round, Demand storage one) private returns (uint256 bond) {
        bond = one.bond;
        one.open = false;
        one.bond = 0;
        --_open[task][round][one.ofMember ? one.demander : address(0)];
    }

    function _requireShown(
        IProver.Case memory accused,
        Place calldata place,
        bytes calldata content
    ) private view {
        uint8 depth = _rounds().rulesOfRound(accused.task, accused.round).bodyDepth;
        Openings.requireShown(place, depth, accused, content);
    }

    function _demandAt(
        uint64 task,
        uint64 round,
        Place calldata place
    ) private view returns (Demand storage one) {
        one = _demands[_hashPlace(task, round, place)];
        if (!one.open) revert NotDemanded(place);
    }

    function _hashPlace(uint64 task, uint64 round, Place calldata place) private pure returns (bytes32) {
        return keccak256(abi.encode(task, round, place));
    }
}
