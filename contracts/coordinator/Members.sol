// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IMembers } from "../interfaces/IMembers.sol";
import { CoordinatorBase } from "./CoordinatorBase.sol";
import { RoundState, TaskState } from "./State.sol";

/// @title The part of the TrainingCoordinator that keeps the Supernodes of each task
abstract contract Members is CoordinatorBase {
    /// @dev A Supernode that joined a task.
    struct Membership {
        address owner; // zero once it has left
        uint48 joinedAt; // block
        uint48 leftAt; // block; in rounds that opened before it can still commit on chain
    }

    mapping(uint64 task => mapping(address operator => Membership)) private _members;
    mapping(uint64 task => mapping(address owner => address operator)) private _operatorOf;
    mapping(uint64 task => mapping(address owner => bool)) private _admitted;

    /// @inheritdoc IMembers
    function admit(uint64 task, address owner, bool admitted) external onlyOwner {
        _requireTask(task);
        _admitted[task][owner] = admitted;
        emit Admitted(task, owner, admitted);
    }

    /// @inheritdoc IMembers
    function join(uint64 task, address operator) external whenNotPaused {
        TaskState storage state = _openTask(task);
        if (registry.ownerOf(operator) != msg.sender) revert NotOwnerOf(operator, msg.sender);
        if (_operatorOf[task][msg.sender] != address(0)) revert AlreadyJoined(task, msg.sender);
        TaskRules storage rules = _rules[task][state.version];
        if (rules.admittedOnly && !_admitted[task][msg.sender]) revert NotAdmitted(task, msg.sender);
        _requireStake(registry.stakeOf(operator), rules);

        _members[task][operator] = Membership(msg.sender, uint48(block.number), 0);
        _operatorOf[task][msg.sender] = operator;
        ++state.active;
        emit Joined(task, operator, msg.sender);
    }

    /// @inheritdoc IMembers
    function leave(uint64 task, address operator) external {
        address owner = _ownerOf(task, operator);
        if (msg.sender != owner && msg.sender != operator) revert NotOwnerOf(operator, msg.sender);
        _remove(task, operator, owner);
    }

    /// @inheritdoc IMembers
    function expire(uint64 task, address operator) external {
        address owner = _ownerOf(task, operator);
        TaskState storage state = _tasks[task];
        TaskRules storage rules = _rules[task][state.version];
        uint256 minimum = rules.minStake;
        // in a round that opened with a lower minimum it can still commit
        if (state.mixed) (, minimum, ) = _inFlight(task, state);
        bool admitted = !rules.admittedOnly || _admitted[task][owner];
        if (admitted && registry.stakeOf(operator) >= minimum) revert StillQualified(task, operator);
        _remove(task, operator, owner);
    }

    /// @inheritdoc IMembers
    function isJoined(uint64 task, address operator) external view returns (bool) {
        return _members[task][operator].owner != address(0);
    }

    /// @dev Reverts unless the Supernode was a member, with the stake that the round asks for, all through the block
    /// before the round opened. A Supernode that left since can still commit, or whoever removes it could keep its
    /// commit out.
    function _requireEligible(
        uint64 task,
        address operator,
        RoundState storage r,
        TaskRules storage rules
    ) internal view {
        uint48 openBlock = r.openBlock;
        Membership storage member = _members[task][operator];
        (uint48 joinedAt, uint48 leftAt) = (member.joinedAt, member.leftAt);
        bool joined = joinedAt != 0 && joinedAt < openBlock;
        if (!joined || (leftAt != 0 && leftAt < openBlock)) revert NotJoined(task, operator);
        _requireStake(registry.stakeAt(operator, openBlock - 1), rules);
    }

    function _requireStake(uint256 stake, TaskRules storage rules) private view {
        uint256 minimum = rules.minStake;
        if (stake < minimum) revert StakeOutsideRules(stake, minimum);
    }

    /// @dev Returns the owner of a Supernode, which must be in the task.
    function _ownerOf(uint64 task, address operator) private view returns (address owner) {
        owner = _members[task][operator].owner;
        if (owner == address(0)) revert NotJoined(task, operator);
    }

    function _remove(uint64 task, address operator, address owner) private {
        Membership storage member = _members[task][operator];
        member.owner = address(0);
        member.leftAt = uint48(block.number);
        delete _operatorOf[task][owner];
        --_tasks[task].active;
        emit Left(task, operator);
    }
}
