// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import { Hashes } from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IRewardDistributor } from "./interfaces/IRewardDistributor.sol";
import { ISupernodeRegistry } from "./interfaces/ISupernodeRegistry.sol";
import { ITrainingCoordinator } from "./interfaces/ITrainingCoordinator.sol";
import { BodyTree } from "./libraries/BodyTree.sol";
import { Forced, RoundState, TaskState } from "./libraries/State.sol";
import { Tasks } from "./Tasks.sol";

/// @title Rounds, commits and results
/// @notice The state machine of docs/protocol.md ("The round on chain"). Invariants:
/// - a round is finalized at most once, and only after its parent;
/// - a forced commit is never dropped: a finalized result has counted all that came before it and none after it stood;
/// - the escrow left covers the budget of every round in flight;
/// - the standing results form one chain: the last finalized round, then each round's parent is the one before, to the
///   head;
/// - the balance covers the bonds of all open challenges.
/// Windows include their first second and not their last, but a result may still be posted in the last second of its
/// own.
contract TrainingCoordinator is Tasks, EIP712 {
    using SafeERC20 for IERC20;

    bytes32 private constant COMMIT_TYPEHASH = keccak256(
        "Commit(uint64 task,uint64 round,address node,bytes32 commitment)"
    );
    uint256 private constant MAX_WEIGHT_SUM = 1 << 20;
    uint256 private constant COMMITS_DEPTH = 20;

    mapping(uint64 task => mapping(uint64 round => Forced)) private _forced;
    mapping(uint64 task => mapping(uint64 round => address)) private _challengers;

    /// @param token_ the DAO's token
    /// @param registry_ the SupernodeRegistry
    /// @param distributor_ the RewardDistributor, made for this contract's address
    /// @param owner_ the timelock
    constructor(
        IERC20 token_,
        ISupernodeRegistry registry_,
        IRewardDistributor distributor_,
        address owner_
    ) Tasks(token_, registry_, distributor_, owner_) EIP712("Commonweight", "1") {}

    /// @inheritdoc ITrainingCoordinator
    function openRound(uint64 task) external whenNotPaused returns (uint64 round) {
        TaskState storage state = _openTask(task);
        (uint32 last, uint32 head, uint24 active) = (state.lastRound, state.head, state.active);
        if (_inProgress(task, last)) revert WrongPhase(task, last, _rounds[task][last].phase);
        // slither-disable-next-line incorrect-equality (phases are compared)
        if (_rounds[task][head].phase == Phase.Frozen) revert WrongPhase(task, head, Phase.Frozen);
        if (active < state.quorum) revert QuorumMissed(active, state.quorum);
        bool mixed = _requireMeans(task, state);
        (uint16 inFlight, uint16 version) = (state.inFlight + 1, state.version);

        round = last + 1;
        state.lastRound = uint32(round);
        state.inFlight = inFlight;
        state.mixed = mixed;
        RoundState storage r = _rounds[task][round];
        r.openBlock = uint48(block.number);
        r.openedAt = uint32(block.timestamp);
        r.parent = head;
        r.eligible = active;
        r.version = version;
        r.phase = Phase.Open;
        emit RoundOpened(task, round, head, active);
    }

    /// @inheritdoc ITrainingCoordinator
    function closeCommits(uint64 task, uint64 round, bytes32 root, uint32 commits) external {
        RoundState storage r = _inPhase(task, round, Phase.Open);
        TaskRules storage rules = _rules[task][r.version];
        if (msg.sender != rules.superlink) revert NotSuperlink(msg.sender, rules.superlink);
        uint256 total = uint256(commits) + _forcedCount(task, round, r);
        uint32 eligible = r.eligible;
        if (total > eligible) revert BadResult("commits");
        if (total < eligible) _notBefore(uint256(r.openedAt) + rules.commitPeriod);
        uint256 quorum = rules.quorum;
        if (total < quorum) revert QuorumMissed(total, quorum);

        r.closedAt = uint32(block.timestamp);
        r.commits = uint24(commits);
        r.phase = Phase.Closed;
        bytes32 seed = bytes32(block.prevrandao);
        r.digest = Hashes.efficientKeccak256(root, seed);
        emit CommitsClosed(task, round, commits, root, seed);
    }

    /// @inheritdoc ITrainingCoordinator
    function commit(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        bytes calldata signature
    ) external {
        RoundState storage r = _rounds[task][round];
        Phase phase = r.phase;
        TaskRules storage rules = _rules[task][r.version];
        if (phase == Phase.Open) _before(uint256(r.openedAt) + rules.commitPeriod);
        else if (phase == Phase.Closed || phase == Phase.Posted || phase == Phase.Frozen) {
            _before(uint256(r.closedAt) + rules.forcePeriod);
        } else revert WrongPhase(task, round, phase);
        if (!_wasMember(task, node, r.openBlock)) revert NotJoined(task, node);
        uint256 stake = registry.stakeAt(node, r.openBlock - 1);
        if (stake < rules.minStake) revert StakeOutsideRules(stake, rules.minStake);
        Forced storage forced = _forced[task][round];
        if (forced.commitmentOf[node] != 0) revert AlreadyCommitted(task, round, node);
        bytes32 digest = keccak256(abi.encode(COMMIT_TYPEHASH, task, round, node, commitment));
        // slither-disable-next-line unused-return (a signature that recovers nobody fails the comparison)
        (address recovered, , ) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(digest), signature);
        if (commitment == 0 || recovered != node) revert BadSignature(recovered, node);

        r.forced = true;
        forced.commitmentOf[node] = commitment;
        emit ForcedCommit(task, round, node, commitment, signature);
        if (phase == Phase.Open || phase == Phase.Closed) {
            forced.hash = keccak256(abi.encode(forced.hash, node, commitment));
            ++forced.count;
        } else {
            forced.contests[node] = true;
            ++forced.contested;
            forced.contestedAt = uint48(block.timestamp);
            emit Contested(task, round, node);
        }
    }

    /// @inheritdoc ITrainingCoordinator
    function postResult(uint64 task, uint64 round, bytes32 seed, Result calldata result) external {
        RoundState storage r = _inPhase(task, round, Phase.Closed);
        TaskRules storage rules = _rules[task][r.version];
        if (msg.sender != rules.superlink) revert NotSuperlink(msg.sender, rules.superlink);
        TaskState storage state = _tasks[task];
        if (state.head != r.parent) revert WrongPhase(task, r.parent, Phase.Void);
        uint256 revealEnd = uint256(r.closedAt) + rules.revealPeriod;
        uint256 resultEnd = revealEnd + rules.resultPeriod;
        if (block.timestamp > resultEnd) revert TooLate(resultEnd);
        bytes32 forcedHash = r.forced ? _forced[task][round].hash : bytes32(0);
        if (result.forcedHash != forcedHash) revert ForcedCommitIgnored(result.forcedHash, forcedHash);
        uint256 total = uint256(r.commits) + _forcedCount(task, round, r);
        if (result.revealed > total) revert BadResult("revealed");
        if (block.timestamp < revealEnd && result.revealed != total)
            revert RevealsMissing(result.revealed, total);
        if (result.inputs > result.revealed) revert BadResult("inputs");
        if (Hashes.efficientKeccak256(result.commitsRoot, seed) != r.digest) revert BadResult("closing");
        if (result.weightSum > MAX_WEIGHT_SUM) revert BadResult("weightSum");

        r.postedAt = uint32(block.timestamp);
        r.phase = Phase.Posted;
        r.digest = keccak256(abi.encode(result));
        state.head = uint32(round);
        emit ResultPosted(task, round, result);
    }

    /// @inheritdoc ITrainingCoordinator
    function dismiss(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        uint256 index,
        bytes32[] calldata proof,
        Result calldata result
    ) external {
        RoundState storage r = _standing(task, round);
        if (keccak256(abi.encode(result)) != r.digest) revert BadResult("hash");
        Forced storage forced = _forced[task][round];
        if (!forced.contests[node] || forced.commitmentOf[node] != commitment) {
            revert NotContested(task, round, node);
        }
        _before(uint256(forced.contestedAt) + _rules[task][r.version].challengePeriod);
        bytes32 leaf = sha256(abi.encodePacked(node, commitment));
        if (!BodyTree.verify(result.commitsRoot, leaf, index, proof, COMMITS_DEPTH)) revert BadProof();

        forced.contests[node] = false;
        --forced.contested;
        emit Dismissed(task, round, node);
    }

    /// @inheritdoc ITrainingCoordinator
    function challenge(uint64 task, uint64 round, string calldata reason) external {
        RoundState storage r = _inPhase(task, round, Phase.Posted);
        TaskRules storage rules = _rules[task][r.version];
        _before(uint256(r.postedAt) + rules.challengePeriod);

        r.phase = Phase.Frozen;
        r.postedAt = uint32(block.timestamp);
        _challengers[task][round] = msg.sender;
        emit Challenged(task, round, msg.sender, reason);
        token.safeTransferFrom(msg.sender, address(this), rules.challengeBond);
    }

    /// @inheritdoc ITrainingCoordinator
    function resolve(uint64 task, uint64 round, bool valid) external onlyOwner {
        RoundState storage r = _inPhase(task, round, Phase.Frozen);
        TaskRules storage rules = _rules[task][r.version];
        _before(uint256(r.postedAt) + rules.resolvePeriod);

        if (valid) {
            r.phase = Phase.Posted;
            r.postedAt = uint32(block.timestamp);
            emit Resolved(task, round, valid);
            token.safeTransfer(owner(), rules.challengeBond);
        } else {
            emit Resolved(task, round, valid);
            _void(task, round, r);
        }
    }

    /// @inheritdoc ITrainingCoordinator
    function finalize(uint64 task, uint64 round, Result calldata result) external {
        RoundState storage r = _inPhase(task, round, Phase.Posted);
        // the arguments end with the result as it is encoded, and a copy of that costs less than encoding it again
        if (keccak256(msg.data[68:]) != r.digest) revert BadResult("hash");
        TaskState storage state = _tasks[task];
        TaskRules storage rules = _rules[task][r.version];
        (uint32 challengePeriod, uint32 forcePeriod) = r.version == state.version
            ? (state.challengePeriod, state.forcePeriod)
            : (rules.challengePeriod, rules.forcePeriod);
        _notBefore(Math.max(uint256(r.postedAt) + challengePeriod, uint256(r.closedAt) + forcePeriod));
        if (r.forced && _forced[task][round].contested != 0) {
            revert StillContested(task, round, _forced[task][round].contested);
        }
        if (r.parent != state.finalized) revert ParentNotFinal(task, r.parent);
        uint256 before = distributor.totalOf(task);
        if (result.rewardTotal < before || result.rewardTotal - before > rules.roundBudget) {
            _void(task, round, r);
            return;
        }

        uint16 inFlight = state.inFlight - 1;
        r.phase = Phase.Finalized;
        state.finalized = uint32(round);
        state.inFlight = inFlight;
        emit Finalized(task, round, result.rewardRoot, result.rewardTotal);
        distributor.activate(task, result.rewardRoot, result.rewardTotal);
    }

    /// @inheritdoc ITrainingCoordinator
    function abort(uint64 task, uint64 round) external {
        RoundState storage r = _rounds[task][round];
        Phase phase = r.phase;
        if (phase != Phase.Open && phase != Phase.Closed) revert WrongPhase(task, round, phase);
        TaskState storage state = _tasks[task];
        if (state.head == r.parent) {
            TaskRules storage rules = _rules[task][r.version];
            if (phase == Phase.Closed) {
                _notBefore(uint256(r.closedAt) + rules.revealPeriod + rules.resultPeriod + 1);
            } else {
                uint256 commitEnd = uint256(r.openedAt) + rules.commitPeriod;
                _notBefore(msg.sender == rules.superlink ? commitEnd : commitEnd + rules.resultPeriod);
            }
        }

        r.phase = Phase.Aborted;
        --state.inFlight;
        emit Aborted(task, round);
    }

    /// @inheritdoc ITrainingCoordinator
    function voidRound(uint64 task, uint64 round) external {
        RoundState storage r = _standing(task, round);
        if (_rounds[task][r.parent].phase != Phase.Void) {
            uint256 from = type(uint256).max;
            Forced storage forced = _forced[task][round];
            TaskRules storage rules = _rules[task][r.version];
            if (forced.contested != 0) from = uint256(forced.contestedAt) + rules.challengePeriod;
            if (r.phase == Phase.Frozen) from = Math.min(from, uint256(r.postedAt) + rules.resolvePeriod);
            if (from == type(uint256).max) revert WrongPhase(task, round, Phase.Posted);
            _notBefore(from);
        }
        _void(task, round, r);
    }

    /// @inheritdoc ITrainingCoordinator
    function roundOf(uint64 task, uint64 round) external view returns (Round memory) {
        RoundState storage r = _rounds[task][round];
        return
            Round({
                openBlock: r.openBlock,
                openedAt: r.openedAt,
                closedAt: r.closedAt,
                postedAt: r.postedAt,
                parent: r.parent,
                eligible: r.eligible,
                commits: r.commits,
                phase: r.phase,
                closing: r.postedAt == 0 ? r.digest : bytes32(0),
                resultHash: r.postedAt == 0 ? bytes32(0) : r.digest
            });
    }

    /// @inheritdoc ITrainingCoordinator
    function forcedHashOf(uint64 task, uint64 round) external view returns (bytes32) {
        return _forced[task][round].hash;
    }

    /// @inheritdoc ITrainingCoordinator
    function forcedCountOf(uint64 task, uint64 round) external view returns (uint256) {
        return _forced[task][round].count;
    }

    /// @inheritdoc ITrainingCoordinator
    function contestedCountOf(uint64 task, uint64 round) external view returns (uint256) {
        return _forced[task][round].contested;
    }

    /// @dev One more round needs a Superlink with its bond, and its budget beside those of the rounds in flight.
    /// @return mixed whether one of these opened with other rules than it will
    function _requireMeans(uint64 task, TaskState storage state) private view returns (bool mixed) {
        TaskRules storage rules = _rules[task][state.version];
        uint256 stake = registry.stakeOf(rules.superlink);
        (uint256 budget, uint256 bond) = (rules.roundBudget, rules.superlinkBond);
        if (stake < bond) revert BondTooSmall(stake, bond);
        uint256 needed = state.inFlight * budget;
        if (state.mixed) (needed, , mixed) = _inFlight(task, state);
        needed += budget;
        uint256 available = distributor.availableOf(task);
        if (available < needed) revert NotFunded(task, available, needed);
    }

    /// @dev The last step of a call: ends a posted or frozen round without effect and returns a challenge's bond.
    function _void(uint64 task, uint64 round, RoundState storage r) private {
        bool frozen = r.phase == Phase.Frozen;
        r.phase = Phase.Void;
        TaskState storage state = _tasks[task];
        --state.inFlight;
        // The head moves only when it descends from this round. Rounds that stand are few: each has its budget reserved.
        uint64 above = state.head;
        while (above > round) above = _rounds[task][above].parent;
        // slither-disable-next-line incorrect-equality (round numbers are compared)
        if (above == round) state.head = r.parent;
        emit Voided(task, round);
        if (frozen) token.safeTransfer(_challengers[task][round], _rules[task][r.version].challengeBond);
    }

    function _inPhase(uint64 task, uint64 round, Phase phase) private view returns (RoundState storage r) {
        r = _rounds[task][round];
        if (r.phase != phase) revert WrongPhase(task, round, r.phase);
    }

    /// @dev The round, whose result must be posted and neither final nor void.
    function _standing(uint64 task, uint64 round) private view returns (RoundState storage r) {
        r = _rounds[task][round];
        if (r.phase != Phase.Posted && r.phase != Phase.Frozen) revert WrongPhase(task, round, r.phase);
    }

    function _forcedCount(uint64 task, uint64 round, RoundState storage r) private view returns (uint256) {
        return r.forced ? _forced[task][round].count : 0;
    }

    function _notBefore(uint256 time) private view {
        if (block.timestamp < time) revert TooEarly(time);
    }

    function _before(uint256 time) private view {
        if (block.timestamp >= time) revert TooLate(time);
    }
}
