// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { Pausable } from "@openzeppelin/contracts/utils/Pausable.sol";

import { IRewardDistributor } from "./interfaces/IRewardDistributor.sol";
import { ISupernodeRegistry } from "./interfaces/ISupernodeRegistry.sol";
import { ITrainingCoordinator } from "./interfaces/ITrainingCoordinator.sol";
import { RoundState, TaskState } from "./libraries/State.sol";

/// @title The tasks of a DAO and who takes part in them: the part of the TrainingCoordinator outside of rounds
/// @notice Pausing stops `createTask`, `join` and `openRound`, nothing else.
abstract contract Tasks is ITrainingCoordinator, Ownable, Pausable {
    /// @dev A Supernode that joined a task.
    struct Membership {
        address owner;
        uint48 joinedAt; // block
    }

    uint256 internal constant MAX_SHARDS = 1 << 16;
    uint256 internal constant MAX_DEPTH = 24;
    uint256 internal constant LAST_CODEC = 1;

    /// @notice What bonds are paid in.
    IERC20 public immutable token;
    /// @notice Stakes of Supernodes and Superlinks.
    ISupernodeRegistry public immutable registry;
    /// @notice Escrow and rewards.
    IRewardDistributor public immutable distributor;
    /// @inheritdoc ITrainingCoordinator
    uint64 public taskCount;

    mapping(uint64 task => TaskState) internal _tasks;
    mapping(uint64 task => TaskRules) internal _rules;
    mapping(uint64 task => mapping(uint64 round => RoundState)) internal _rounds;
    mapping(uint64 task => mapping(address operator => Membership)) internal _members;
    mapping(uint64 task => mapping(address owner => address operator)) private _operatorOf;
    mapping(uint64 task => mapping(address owner => bool)) private _admitted;
    mapping(uint64 task => address) private _nextSuperlink;

    constructor(
        IERC20 token_,
        ISupernodeRegistry registry_,
        IRewardDistributor distributor_,
        address owner_
    ) Ownable(owner_) {
        token = token_;
        registry = registry_;
        distributor = distributor_;
    }

    /// @inheritdoc ITrainingCoordinator
    function createTask(
        TaskRules calldata rules,
        uint256 funds
    ) external onlyOwner whenNotPaused returns (uint64 task) {
        _validate(rules);
        task = ++taskCount;
        _rules[task] = rules;
        TaskState storage state = _tasks[task];
        state.quorum = rules.quorum;
        state.forcePeriod = rules.forcePeriod;
        state.challengePeriod = rules.challengePeriod;
        emit TaskCreated(task, rules.appHash, rules);
        if (funds != 0) distributor.fundFrom(msg.sender, task, funds);
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
        if (superlink == address(0)) revert BadRules("superlink");
        if (_inProgress(task, state.lastRound)) {
            _nextSuperlink[task] = superlink;
            state.superlinkQueued = true;
        } else {
            state.superlinkQueued = false;
            _setSuperlink(task, superlink);
        }
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
        TaskRules storage rules = _rules[task];
        if (rules.admittedOnly && !_admitted[task][msg.sender]) revert NotAdmitted(task, msg.sender);
        uint256 stake = registry.stakeOf(operator);
        if (stake < rules.minStake) revert StakeOutsideRules(stake, rules.minStake);

        _members[task][operator] = Membership(msg.sender, uint48(block.number));
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
        TaskRules storage rules = _rules[task];
        bool admitted = !rules.admittedOnly || _admitted[task][owner];
        if (admitted && registry.stakeOf(operator) >= rules.minStake) revert StillQualified(task, operator);
        _remove(task, operator, owner);
    }

    /// @inheritdoc ITrainingCoordinator
    function rulesOf(uint64 task) external view returns (TaskRules memory) {
        _requireTask(task);
        return _rules[task];
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

    /// @dev A queued Superlink takes over.
    function _replaceSuperlink(uint64 task) internal {
        _tasks[task].superlinkQueued = false;
        _setSuperlink(task, _nextSuperlink[task]);
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

    function _requireTask(uint64 task) internal view {
        if (_tasks[task].quorum == 0) revert UnknownTask(task);
    }

    function _setSuperlink(uint64 task, address superlink) private {
        _rules[task].superlink = superlink;
        emit SuperlinkReplaced(task, superlink);
    }

    function _remove(uint64 task, address operator, address owner) private {
        delete _members[task][operator];
        delete _operatorOf[task][owner];
        --_tasks[task].active;
        emit Left(task, operator);
    }

    function _validate(TaskRules calldata r) private view {
        _rule(r.superlink != address(0), "superlink");
        _rule(r.commitPeriod != 0, "commitPeriod");
        _rule(r.revealPeriod != 0, "revealPeriod");
        _rule(r.resultPeriod != 0, "resultPeriod");
        _rule(r.challengePeriod != 0, "challengePeriod");
        _rule(r.resolvePeriod != 0, "resolvePeriod");
        // a Superlink can always wait until no forced commit may follow
        uint256 untilResult = uint256(r.revealPeriod) + r.resultPeriod;
        _rule(r.forcePeriod != 0 && r.forcePeriod <= untilResult, "forcePeriod");
        // whatever is at fault in a round can still be slashed when the round is decided
        uint256 untilDecided = untilResult + r.commitPeriod + r.challengePeriod + r.resolvePeriod;
        _rule(registry.unbondingPeriod() > untilDecided, "unbondingPeriod");
        _rule(r.quorum != 0, "quorum");
        _rule(r.shards != 0 && r.shards <= MAX_SHARDS, "shards");
        _rule(r.bodyDepth != 0 && r.bodyDepth <= MAX_DEPTH, "bodyDepth");
        _rule(r.codec <= LAST_CODEC, "codec");
        _rule(r.minStake != 0 && r.minStake >= registry.minimumStake(), "minStake");
        _rule(r.maxStake >= r.minStake, "maxStake");
        _rule(r.roundBudget != 0, "roundBudget");
        _rule(r.appHash != 0, "appHash");
        _rule(r.baseModel != 0, "baseModel");
        _rule(r.validationRoot != 0, "validationRoot");
    }

    function _rule(bool holds, string memory what) private pure {
        if (!holds) revert BadRules(what);
    }
}
