// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Hashes } from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

import { IRounds } from "../interfaces/IRounds.sol";
import { Deadlines } from "./Deadlines.sol";
import { ForcedCommits } from "./ForcedCommits.sol";
import { RoundState, TaskState } from "./State.sol";

/// @title The part of the TrainingCoordinator that takes a round from its opening to its end
abstract contract Rounds is ForcedCommits {
    using Deadlines for RoundState;

    uint256 private constant MAX_WEIGHT_SUM = 1 << 20;

    /// @inheritdoc IRounds
    function openRound(uint64 task) external whenNotPaused returns (uint64 round) {
        TaskState storage state = _openTask(task);
        (uint32 last, uint32 head, uint24 active) = (state.lastRound, state.head, state.active);
        Phase phase = _rounds[task][last].phase;
        if (phase == Phase.Open || phase == Phase.Closed) revert WrongPhase(task, last, phase);
        // slither-disable-next-line incorrect-equality (phases are compared)
        if (_rounds[task][head].phase == Phase.Frozen) revert WrongPhase(task, head, Phase.Frozen);
        if (active < state.quorum) revert QuorumMissed(active, state.quorum);
        (uint16 inFlight, uint16 version) = (state.inFlight + 1, state.version);
        if (inFlight > state.maxInFlight) revert RoundsInFlight(task, state.inFlight);
        bool mixed = _requireMeans(task, state);

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

    /// @inheritdoc IRounds
    function closeCommits(
        uint64 task,
        uint64 round,
        uint48 openBlock,
        bytes32 root,
        bytes32 forcedHash,
        uint32 commits,
        uint32 passes
    ) external {
        RoundState storage r = _inPhase(task, round, Phase.Open);
        if (openBlock != r.openBlock) revert BadResult("openBlock");
        TaskRules storage rules = _rules[task][r.version];
        _requireSuperlink(rules);
        _requireHeard(r, rules, commits + _countForced(task, round, r, forcedHash), passes);

        r.closedAt = uint32(block.timestamp);
        r.commits = uint24(commits);
        r.phase = Phase.Closed;
        bytes32 seed = bytes32(block.prevrandao);
        r.digest = Hashes.efficientKeccak256(root, seed);
        emit CommitsClosed(task, round, commits, passes, root, seed);
    }

    /// @inheritdoc IRounds
    function postResult(uint64 task, uint64 round, Result calldata result) external {
        RoundState storage r = _inPhase(task, round, Phase.Closed);
        TaskRules storage rules = _rules[task][r.version];
        _requireSuperlink(rules);
        TaskState storage state = _tasks[task];
        if (state.head != r.parent) revert WrongPhase(task, r.parent, Phase.Void);
        uint256 revealEnd = r.revealEnd(rules);
        uint256 resultEnd = Deadlines.resultEnd(revealEnd, rules);
        if (block.timestamp > resultEnd) revert TooLate(resultEnd);
        uint256 total = r.commits + _countForced(task, round, r, result.forcedHash);
        if (result.revealed > total) revert BadResult("revealed");
        if (block.timestamp < revealEnd && result.revealed != total)
            revert RevealsMissing(result.revealed, total);
        if (result.inputs > result.revealed) revert BadResult("inputs");
        bytes32 closing = Hashes.efficientKeccak256(result.commitsRoot, result.seed);
        if (closing != r.digest) revert BadResult("closing");
        if (result.weightSum > MAX_WEIGHT_SUM) revert BadResult("weightSum");

        r.postedAt = uint32(block.timestamp);
        r.phase = Phase.Posted;
        r.digest = keccak256(abi.encode(result));
        state.head = uint32(round);
        emit ResultPosted(task, round, result);
    }

    /// @inheritdoc IRounds
    function finalize(uint64 task, uint64 round, Result calldata result) external {
        RoundState storage r = _inPhase(task, round, Phase.Posted);
        // the arguments end with the result as it is encoded, and a copy of that costs less than encoding it again
        if (keccak256(msg.data[68:]) != r.digest) revert BadResult("hash");
        TaskState storage state = _tasks[task];
        TaskRules storage rules = _rules[task][r.version];
        // the rules of most rounds are those of the next one, of which the task's slot has a copy
        uint32 challengePeriod = r.version == state.version ? state.challengePeriod : rules.challengePeriod;
        Deadlines.requireFrom(uint256(r.postedAt) + challengePeriod);
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
        emit Finalized(task, round, result.accountsRoot, result.rewardTotal);
        distributor.activate(task, result.accountsRoot, result.rewardTotal);
    }

    /// @inheritdoc IRounds
    function abort(uint64 task, uint64 round) external {
        RoundState storage r = _rounds[task][round];
        Phase phase = r.phase;
        if (phase != Phase.Open && phase != Phase.Closed) revert WrongPhase(task, round, phase);
        TaskState storage state = _tasks[task];
        if (state.head == r.parent) {
            TaskRules storage rules = _rules[task][r.version];
            if (phase == Phase.Closed) {
                Deadlines.requireFrom(Deadlines.resultEnd(r.revealEnd(rules), rules) + 1);
            } else {
                uint256 commitEnd = r.commitEnd(rules);
                Deadlines.requireFrom(
                    msg.sender == rules.superlink ? commitEnd : commitEnd + rules.resultPeriod
                );
            }
        }

        r.phase = Phase.Aborted;
        --state.inFlight;
        emit Aborted(task, round);
    }

    /// @inheritdoc IRounds
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
                opening: r.phase == Phase.None ? bytes32(0) : _openingOf(task, r),
                closing: r.postedAt == 0 ? r.digest : bytes32(0),
                resultHash: r.postedAt == 0 ? bytes32(0) : r.digest
            });
    }

    /// @inheritdoc IRounds
    function rulesOfRound(uint64 task, uint64 round) external view returns (TaskRules memory) {
        uint16 version = _rounds[task][round].version;
        // slither-disable-next-line incorrect-equality (versions are numbered from 1)
        if (version == 0) revert WrongPhase(task, round, Phase.None);
        return _rules[task][version];
    }

    /// @dev Ends a posted or frozen round without effect. A challenger's bond is the caller's to return, last of all.
    function _void(uint64 task, uint64 round, RoundState storage r) internal {
        r.phase = Phase.Void;
        TaskState storage state = _tasks[task];
        --state.inFlight;
        // The head moves only when it descends from this round. Rounds that stand are few: each has its budget
        // reserved.
        uint64 above = state.head;
        while (above > round) above = _rounds[task][above].parent;
        // slither-disable-next-line incorrect-equality (round numbers are compared)
        if (above == round) state.head = r.parent;
        emit Voided(task, round);
    }

    /// @dev Reverts unless the caller is the Superlink of these rules.
    function _requireSuperlink(TaskRules storage rules) internal view {
        address superlink = rules.superlink;
        if (msg.sender != superlink) revert NotSuperlink(msg.sender, superlink);
    }

    /// @dev Reverts unless so many commits are a quorum, and with the passes all that are eligible, or enough of them by the
    /// time, or all until the deadline.
    function _requireHeard(
        RoundState storage r,
        TaskRules storage rules,
        uint256 commits,
        uint256 passes
    ) private view {
        uint256 heard = commits + passes;
        uint32 eligible = r.eligible;
        if (heard > eligible) revert BadResult("commits");
        if (heard < eligible) Deadlines.requireFrom(r.closeFrom(rules, commits));
        uint256 quorum = rules.quorum;
        if (commits < quorum) revert QuorumMissed(commits, quorum);
    }

    /// @dev Reverts unless the Superlink has its bonds and the escrow covers one more round beside those in flight.
    /// @return mixed whether one of these opened with other rules than the next will
    function _requireMeans(uint64 task, TaskState storage state) private view returns (bool mixed) {
        TaskRules storage rules = _rules[task][state.version];
        address superlink = rules.superlink;
        (uint256 stake, uint256 bonds) = (registry.stakeOf(superlink), _bonds[superlink]);
        if (stake < bonds) revert BondTooSmall(stake, bonds);
        uint256 budget = rules.roundBudget;
        uint256 needed = state.inFlight * budget;
        if (state.mixed) (needed, , mixed) = _inFlight(task, state);
        needed += budget;
        uint256 available = distributor.availableOf(task);
        if (available < needed) revert NotFunded(task, available, needed);
    }
}
