// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ITasks } from "./ITasks.sol";

/// @title Rounds and their results
/// @notice The state machine of docs/protocol.md ("The round on chain"). Deadlines are compared with block time.
interface IRounds {
    /// @notice Where a round stands: docs/protocol.md, "The round on chain".
    enum Phase {
        None,
        Open,
        Closed,
        Posted,
        Frozen,
        Finalized,
        Aborted,
        Void
    }

    /// @notice The state of a round; a time that has not come is 0.
    struct Round {
        uint48 openBlock;
        uint32 openedAt;
        uint32 closedAt;
        uint32 postedAt; // for a frozen round: when it was frozen
        uint32 parent; // round whose model it starts from, 0: the task's base model
        uint32 eligible; // Supernodes that had joined when it opened
        uint32 commits; // number of commits under commitsRoot, without passes
        Phase phase;
        bytes32 opening; // keccak256(abi.encode(parent's resultHash, openBlock)): what signatures of the round name
        bytes32 closing; // keccak256(abi.encode(commitsRoot, seed)); 0 from the result on (one slot holds both in turn)
        bytes32 resultHash; // keccak256(abi.encode(Result)); 0 until the result
    }

    /// @notice What the Superlink states of a round.
    struct Result {
        bytes32 commitsRoot; // must be the one that commits were closed with
        bytes32 seed; // must be the one of `CommitsClosed`
        bytes32 statement; // keccak256(abi.encode(Statement)): IStatements
        bytes32 modelDigest;
        bytes32 manifestDigest;
        bytes32 accountsRoot; // root of the tree of accounts, of which claims show a leaf
        bytes32 forcedHash; // must be the round's at the time of posting
        uint32 inputs; // nodes under the statement's inputsRoot
        uint32 revealed; // commits (forced ones included) whose content arrived, valid or not
        uint32 weightSum;
        uint128 rewardTotal; // sum of the cumulative rewards under accountsRoot
    }

    /// @notice A round opened on the model of its parent.
    event RoundOpened(uint64 indexed task, uint64 indexed round, uint64 parent, uint32 eligible);
    /// @notice The Superlink closed the commits; the seed draws the validation shard.
    event CommitsClosed(
        uint64 indexed task,
        uint64 indexed round,
        uint32 commits,
        uint32 passes,
        bytes32 root,
        bytes32 seed
    );
    /// @notice The Superlink posted a result.
    event ResultPosted(uint64 indexed task, uint64 indexed round, Result result);
    /// @notice The round is final, and its rewards are claimable.
    event Finalized(uint64 indexed task, uint64 indexed round, bytes32 accountsRoot, uint256 rewardTotal);
    /// @notice The round ended without a result.
    event Aborted(uint64 indexed task, uint64 indexed round);
    /// @notice The result is void.
    event Voided(uint64 indexed task, uint64 indexed round);

    /// @notice The caller is not the round's Superlink.
    error NotSuperlink(address caller, address superlink);
    /// @notice The round is in this phase, in which the call is not allowed.
    error WrongPhase(uint64 task, uint64 round, Phase phase);
    /// @notice The call is allowed from this time on.
    error TooEarly(uint256 notBefore);
    /// @notice The window ended at this time.
    error TooLate(uint256 deadline);
    /// @notice There are fewer Supernodes or commits than the task's quorum.
    error QuorumMissed(uint256 have, uint256 quorum);
    /// @notice The escrow does not cover the rounds in flight and one more.
    error NotFunded(uint64 task, uint256 available, uint256 needed);
    /// @notice The Superlink has less stake in the registry than all open tasks that name it ask for together.
    error BondTooSmall(uint256 stake, uint256 bonds);
    /// @notice Before the reveal deadline a result must count all commits as revealed.
    error RevealsMissing(uint256 revealed, uint256 commits);
    /// @notice The field named `what` is wrong.
    error BadResult(string what);
    /// @notice The parent of the round is not final yet.
    error ParentNotFinal(uint64 task, uint64 parent);

    /// @notice Opens a round. No round may be in progress, the head must not be frozen, the escrow must cover the
    /// budget, a quorum of Supernodes must have joined, and the Superlink must have its bonds. Anyone may call.
    /// @param task the task
    /// @return round the round's number, from 1
    function openRound(uint64 task) external returns (uint64 round);
    /// @notice Closes the commits and draws the seed: from the commit deadline on, or earlier when all eligible
    /// Supernodes have committed or passed. Only the Superlink may call.
    /// @param task the task
    /// @param round the round, which must be open
    /// @param openBlock the block that the round opened in: the commits of an opening that a reorg took back are signed for
    /// that one alone, and close no other
    /// @param root root of the tree of commits and passes that the Superlink holds, without nodes whose forced commit is
    /// on chain
    /// @param forcedHash the round's: so no node is in the tree whose forced commit came just before
    /// @param commits number of commits under `root`; with the forced ones they must reach the quorum
    /// @param passes number of passes under `root`
    function closeCommits(
        uint64 task,
        uint64 round,
        uint48 openBlock,
        bytes32 root,
        bytes32 forcedHash,
        uint32 commits,
        uint32 passes
    ) external;
    /// @notice Posts the result of a round. Before the reveal deadline `revealed` must be all commits under the root
    /// and all forced ones. A result computed with the seed of a closing that a reorg took back is refused. Only the
    /// Superlink may call.
    /// @param task the task
    /// @param round the round, which must be closed
    /// @param result the result
    function postResult(uint64 task, uint64 round, Result calldata result) external;
    /// @notice Finalizes a round whose window for challenges is over and whose parent is final: its rewards become
    /// claimable. A result that pays more than the round's budget, or less than its parent, becomes void instead. Anyone
    /// may call.
    /// @param task the task
    /// @param round the round, which must be posted
    /// @param result the result that was posted
    function finalize(uint64 task, uint64 round, Result calldata result) external;
    /// @notice Aborts a round without a result: past its deadline, or at once when a result that it builds on is void.
    /// Anyone may call; the Superlink may abort an open round from its commit deadline on.
    /// @param task the task
    /// @param round the round, which must be open or closed
    function abort(uint64 task, uint64 round) external;

    /// @notice Returns the state of a round; its phase is None when there is no such round.
    /// @param task the task
    /// @param round the round
    /// @return the state
    function roundOf(uint64 task, uint64 round) external view returns (Round memory);
    /// @notice Returns the rules that a round opened with.
    /// @param task the task
    /// @param round the round
    /// @return the rules
    function rulesOfRound(uint64 task, uint64 round) external view returns (ITasks.TaskRules memory);
}
