// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ITasks } from "../interfaces/ITasks.sol";
import { CoordinatorBase } from "./CoordinatorBase.sol";
import { RuleBook } from "./RuleBook.sol";
import { TaskState } from "./State.sol";

/// @title The part of the TrainingCoordinator that keeps tasks and the versions of their rules
abstract contract Tasks is CoordinatorBase {
    /// @notice The rules for rules.
    RuleBook public immutable ruleBook;
    /// @inheritdoc ITasks
    uint64 public taskCount;

    constructor() {
        ruleBook = new RuleBook(registry);
    }

    /// @inheritdoc ITasks
    // rules in memory, as setSuperlink has them: so there is one copy of the code
    // solhint-disable-next-line gas-calldata-parameters
    function createTask(
        TaskRules memory rules,
        uint256 funds
    ) external onlyOwner whenNotPaused returns (uint64 task) {
        ruleBook.check(rules);
        task = ++taskCount;
        _setRules(task, _tasks[task], rules);
        emit TaskCreated(task, rules.appHash, rules);
        if (funds != 0) distributor.fundFrom(msg.sender, task, funds);
    }

    /// @inheritdoc ITasks
    function closeTask(uint64 task, address refundTo) external onlyOwner {
        TaskState storage state = _openTask(task);
        if (state.inFlight != 0) revert RoundsInFlight(task, state.inFlight);
        state.closed = true;
        TaskRules storage rules = _rules[task][state.version];
        _bonds[rules.superlink] -= rules.superlinkBond;
        emit TaskClosed(task, distributor.availableOf(task));
        // slither-disable-next-line unused-return (the amount of the event)
        distributor.refund(task, refundTo);
    }

    /// @inheritdoc ITasks
    // solhint-disable-next-line gas-calldata-parameters
    function changeRules(uint64 task, TaskRules memory rules) external onlyOwner {
        TaskState storage state = _openTask(task);
        ruleBook.checkChange(_rules[task][state.version], rules);
        emit RulesChanged(task, _setRules(task, state, rules), rules);
    }

    /// @inheritdoc ITasks
    function setSuperlink(uint64 task, address superlink) external onlyOwner {
        TaskState storage state = _openTask(task);
        TaskRules memory rules = _rules[task][state.version];
        rules.superlink = superlink;
        ruleBook.check(rules);
        emit SuperlinkReplaced(task, superlink);
        emit RulesChanged(task, _setRules(task, state, rules), rules);
    }

    /// @inheritdoc ITasks
    function appendShards(
        uint64 task,
        uint32 shards,
        bytes32 first,
        bytes32[] calldata path
    ) external onlyOwner {
        TaskState storage state = _openTask(task);
        TaskRules memory rules = _rules[task][state.version];
        (rules.validationRoot, rules.shards) = (ruleBook.append(rules, shards, first, path), shards);
        emit RulesChanged(task, _setRules(task, state, rules), rules);
    }

    /// @inheritdoc ITasks
    function rulesOf(uint64 task) external view returns (TaskRules memory) {
        _requireTask(task);
        return _rules[task][_tasks[task].version];
    }

    /// @inheritdoc ITasks
    function taskOf(uint64 task) external view returns (Task memory) {
        _requireTask(task);
        TaskState storage state = _tasks[task];
        return Task(state.active, state.lastRound, state.head, state.inFlight, state.closed);
    }

    /// @inheritdoc ITasks
    function bondsOf(address superlink) external view returns (uint256) {
        return _bonds[superlink];
    }

    /// @dev Stores the rules that the next round opens with, as a new version.
    function _setRules(
        uint64 task,
        TaskState storage state,
        TaskRules memory rules
    ) private returns (uint16 version) {
        TaskRules storage previous = _rules[task][state.version];
        _bonds[previous.superlink] -= previous.superlinkBond; // of a new task: nobody's nothing
        _bonds[rules.superlink] += rules.superlinkBond;
        version = ++state.version;
        _rules[task][version] = rules;
        state.quorum = uint24(rules.quorum);
        state.maxInFlight = rules.maxInFlight;
        state.challengePeriod = rules.challengePeriod;
        state.mixed = state.inFlight != 0;
    }
}
