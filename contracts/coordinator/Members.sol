// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IMembers } from "../interfaces/IMembers.sol";
import { CoordinatorBase } from "./CoordinatorBase.sol";
import { TaskState } from "./State.sol";

/// @title The part of the TrainingCoordinator that keeps the Supernodes of each task
abstract contract Members is CoordinatorBase {
    /// @dev A Supernode that joined a task.
    struct Membership {
        address owner; // zero once it has left
        uint32[] turns; // rounds from which on it takes part, and then no longer, by turns
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
        address superlink = rules.superlink;
        if (operator == superlink || registry.ownerOf(superlink) == msg.sender)
            revert IsSuperlink(task, superlink);
        uint256 stake = registry.stakeOf(operator);
        if (stake < rules.minStake) revert StakeOutsideRules(stake, rules.minStake);

        Membership storage member = _members[task][operator];
        member.owner = msg.sender;
        _turn(member.turns, state.lastRound + 1);
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

    /// @inheritdoc IMembers
    function wasMember(uint64 task, address operator, uint64 round) public view returns (bool) {
        uint32[] storage turns = _members[task][operator].turns;
        uint256 count = turns.length;
        // those after a round that is not decided yet are few
        while (count != 0 && turns[count - 1] > round) --count;
        return count % 2 == 1;
    }

    /// @dev Reverts unless the Supernode had joined when the round opened. One that left since takes part in it all the
    /// same, so that those who may commit are those whom the round waits for.
    function _requireEligible(uint64 task, address operator, uint64 round) internal view {
        if (!wasMember(task, operator, round)) revert NotJoined(task, operator);
    }

    /// @dev Returns the owner of a Supernode, which must be in the task.
    function _ownerOf(uint64 task, address operator) internal view returns (address owner) {
        owner = _members[task][operator].owner;
        if (owner == address(0)) revert NotJoined(task, operator);
    }

    /// @dev Takes a Supernode out of a task.
    function _remove(uint64 task, address operator, address owner) internal {
        Membership storage member = _members[task][operator];
        member.owner = address(0);
        TaskState storage state = _tasks[task];
        _turn(member.turns, state.lastRound + 1);
        delete _operatorOf[task][owner];
        --state.active;
        emit Left(task, operator);
    }

    /// @dev Turns a membership round from the next round on. Whoever left in the last round, and is back before the next, takes
    /// part in both; whoever joins and leaves, in neither.
    function _turn(uint32[] storage turns, uint32 next) private {
        uint256 count = turns.length;
        if (count != 0 && turns[count - 1] == next) turns.pop();
        else turns.push(next);
    }
}
