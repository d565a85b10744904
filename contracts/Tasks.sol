// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { Pausable } from "@openzeppelin/contracts/utils/Pausable.sol";

import { IRewardDistributor } from "./interfaces/IRewardDistributor.sol";
import { ISupernodeRegistry } from "./interfaces/ISupernodeRegistry.sol";
import { ITrainingCoordinator } from "./interfaces/ITrainingCoordinator.sol";
import { RoundState, TaskState } from "./libraries/State.sol";
import { RuleBook } from "./RuleBook.sol";

/// @title The tasks of a DAO and who takes part in them: the part of the TrainingCoordinator outside of rounds
/// @notice Pausing stops `createTask`, `join` and `openRound`, nothing else.
abstract contract Tasks is ITrainingCoordinator, Ownable, Pausable {
    /// @dev A Supernode that joined a task.
    struct Membership {
        address owner; // none once it has left
        uint48 joinedAt; // block
        uint48 leftAt; // block; in rounds that opened before it can still commit on chain
    }

    /// @notice What bonds are paid in.
    IERC20 public immutable token;
    /// @notice Stakes of Supernodes and Superlinks.
    ISupernodeRegistry public immutable registry;
    /// @notice Escrow and rewards.
    IRewardDistributor public immutable distributor;
    /// @notice Which rules a task may have.
    RuleBook public immutable ruleBook;
    /// @inheritdoc ITrainingCoordinator
    uint64 public taskCount;

    mapping(uint64 task => TaskState) internal _tasks;
    mapping(uint64 task => mapping(uint16 version => TaskRules)) internal _rules;
    mapping(uint64 task => mapping(uint64 round => RoundState)) internal _rounds;
    mapping(uint64 task => mapping(address operator => Membership)) internal _members;
    mapping(uint64 task => mapping(address owner => address operator)) private _operatorOf;
    mapping(uint64 task => mapping(address owner => bool)) private _admitted;

    constructor(
        IERC20 token_,
        ISupernodeRegistry registry_,
        IRewardDistributor distributor_,
        address owner_
    ) Ownable(owner_) {
        token = token_;
        registry = registry_;
        distributor = distributor_;
        ruleBook = new RuleBook(registry_);
    }

    /// @inheritdoc ITrainingCoordinator
    // rules in memory, as setSuperlink has them: there is one copy of the code, and the contract small enough
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

    /// @inheritdoc ITrainingCoordinator
    // solhint-disable-next-line gas-calldata-parameters
    function changeRules(uint64 task, TaskRules memory rules) external onlyOwner {
        TaskState storage state = _openTask(task);
        ruleBook.checkChange(_rules[task][state.version], rules);
        emit RulesChanged(task, _setRules(task, state, rules), rules);
    }

    /// @inheritdoc ITrainingCoordinator
    function closeTask(uint64 task, address refundTo) external onlyOwner {
        TaskState storage state = _openTask(task);
        if (state.inFlight != 0) revert RoundsInFlight(task, state.inFlight);
        state.closed = true;
        emit TaskClosed(task, distributor.availableOf(task));
        // slither-disable-next-line unused-return (the amount of the event)
        distributor.refund(task, refundTo);
    }

    /// @inheritdoc ITrainingCoordinator
    function setSuperlink(uint64 task, address superlink) external onlyOwner {
        TaskState storage state = _openTask(task);
        TaskRules memory rules = _rules[task][state.version];
        rules.superlink = superlink;
        ruleBook.check(rules);
        emit SuperlinkReplaced(task, superlink);
        emit RulesChanged(task, _setRules(task, state, rules), rules);
    }

    /// @inheritdoc ITrainingCoordinator
    function admit(uint64 task, address owner, bool admitted) external onlyOwner {
        _requireTask(task);
        _admitted[task][owner] = admitted;
        emit Admitted(task, owner, admitted);
    }

    /// @notice Stop `createTask`, `join` and `openRound`; nothing else.
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Let entries work again.
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @inheritdoc ITrainingCoordinator
    function join(uint64 task, address operator) external whenNotPaused {
        TaskState storage state = _openTask(task);
        if (registry.ownerOf(operator) != msg.sender) revert NotOwnerOf(operator, msg.sender);
        if (_operatorOf[task][msg.sender] != address(0)) revert AlreadyJoined(task, msg.sender);
        TaskRules storage rules = _rules[task][state.version];
        if (rules.admittedOnly && !_admitted[task][msg.sender]) revert NotAdmitted(task, msg.sender);
        uint256 stake = registry.stakeOf(operator);
        if (stake < rules.minStake) revert StakeOutsideRules(stake, rules.minStake);

        _members[task][operator] = Membership(msg.sender, uint48(block.number), 0);
        _operatorOf[task][msg.sender] = operator;
        ++state.active;
        emit Joined(task, operator, msg.sender);
    }

    /// @inheritdoc ITrainingCoordinator
    function leave(uint64 task, address operator) external {
        address owner = _members[task][operator].owner;
        if (owner == address(0)) revert NotJoined(task, operator);
        if (msg.sender != owner && msg.sender != operator) revert NotOwnerOf(operator, msg.sender);
        _remove(task, operator, owner);
    }

    /// @inheritdoc ITrainingCoordinator
    function expire(uint64 task, address operator) external {
        address owner = _members[task][operator].owner;
        if (owner == address(0)) revert NotJoined(task, operator);
        TaskState storage state = _tasks[task];
        TaskRules storage rules = _rules[task][state.version];
        uint256 minimum = rules.minStake;
        // in a round that opened with a lower minimum it can still commit
        if (state.mixed) (, minimum, ) = _inFlight(task, state);
        bool admitted = !rules.admittedOnly || _admitted[task][owner];
        if (admitted && registry.stakeOf(operator) >= minimum) revert StillQualified(task, operator);
        _remove(task, operator, owner);
    }

    /// @inheritdoc ITrainingCoordinator
    function rulesOf(uint64 task) external view returns (TaskRules memory) {
        _requireTask(task);
        return _rules[task][_tasks[task].version];
    }

    /// @inheritdoc ITrainingCoordinator
    function rulesOfRound(uint64 task, uint64 round) external view returns (TaskRules memory) {
        uint16 version = _rounds[task][round].version;
        // slither-disable-next-line incorrect-equality (versions are numbered from 1)
        if (version == 0) revert WrongPhase(task, round, Phase.None);
        return _rules[task][version];
    }

    /// @inheritdoc ITrainingCoordinator
    function taskOf(uint64 task) external view returns (Task memory) {
        _requireTask(task);
        TaskState storage state = _tasks[task];
        return Task(state.active, state.lastRound, state.head, state.inFlight, state.closed);
    }

    /// @inheritdoc ITrainingCoordinator
    function isJoined(uint64 task, address operator) external view returns (bool) {
        return _members[task][operator].owner != address(0);
    }

    /// @dev Whether commits or the result of the round are still to come.
    function _inProgress(uint64 task, uint64 round) internal view returns (bool) {
        Phase phase = _rounds[task][round].phase;
        // slither-disable-next-line incorrect-equality (phases are compared)
        return phase == Phase.Open || phase == Phase.Closed;
    }

    /// @dev The task, which must exist and not be closed.
    function _openTask(uint64 task) internal view returns (TaskState storage state) {
        _requireTask(task);
        state = _tasks[task];
        if (state.closed) revert TaskIsClosed(task);
    }

    /// @dev The rounds in flight: their budgets together, the least stake that the next round or one of them asks for,
    /// and whether one of them opened with earlier rules than the next will. Reads as many rounds as have opened since
    /// the oldest of them.
    function _inFlight(
        uint64 task,
        TaskState storage state
    ) internal view returns (uint256 budgets, uint256 minStake, bool mixed) {
        uint16 version = state.version;
        minStake = _rules[task][version].minStake;
        uint64 round = state.lastRound;
        for (uint256 left = state.inFlight; left != 0; --round) {
            RoundState storage r = _rounds[task][round];
            if (r.phase >= Phase.Finalized) continue;
            --left;
            TaskRules storage rules = _rules[task][r.version];
            budgets += rules.roundBudget;
            minStake = Math.min(minStake, rules.minStake);
            mixed = mixed || r.version != version;
        }
    }

    function _requireTask(uint64 task) internal view {
        if (_tasks[task].version == 0) revert UnknownTask(task);
    }

    /// @dev The next round opens with these rules.
    function _setRules(
        uint64 task,
        TaskState storage state,
        TaskRules memory rules
    ) private returns (uint16 version) {
        version = ++state.version;
        _rules[task][version] = rules;
        state.quorum = uint24(rules.quorum);
        state.forcePeriod = rules.forcePeriod;
        state.challengePeriod = rules.challengePeriod;
        state.mixed = state.inFlight != 0;
    }

    /// @notice Whether a Supernode was a member all through the block before `openBlock`.
    /// @dev One that left since can still commit, or whoever removes it could keep its commit out.
    function _wasMember(uint64 task, address operator, uint256 openBlock) internal view returns (bool) {
        Membership storage member = _members[task][operator];
        uint256 joinedAt = member.joinedAt;
        uint256 leftAt = member.leftAt;
        return joinedAt != 0 && joinedAt < openBlock && (leftAt == 0 || leftAt >= openBlock);
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
