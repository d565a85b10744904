// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Tasks, rounds, commits and results
/// @notice The state machine of docs/protocol.md. A round is finalized at most once; a forced commit is never dropped;
/// phases follow block time; no step needs anyone's goodwill.
interface ITrainingCoordinator {
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

    /// @notice The rules of a task: fixed when the DAO creates it (only the Superlink can be replaced, between rounds).
    struct TaskRules {
        address superlink; // operator key of the Superlink
        uint32 commitPeriod; // seconds, all periods
        uint32 revealPeriod;
        uint32 resultPeriod;
        uint32 forcePeriod; // a forced commit is accepted this long after commits close
        uint32 challengePeriod;
        uint32 resolvePeriod;
        uint32 quorum; // least number of commits of a round
        uint32 shards; // number of validation shards under validationRoot
        uint8 bodyDepth; // depth of the body trees
        uint8 codec; // 0 int8, 1 float32
        bool admittedOnly; // one equal unit of weight for each admitted owner
        uint128 minStake; // a Supernode with less does not take part
        uint128 maxStake; // more counts as this much
        uint128 roundBudget;
        uint128 superlinkBond; // stake the Superlink must have in the registry to open a round
        uint128 challengeBond;
        bytes32 appHash; // content digest of the app's bundle
        bytes32 baseModel; // content digest of the first model
        bytes32 validationRoot; // root of the shard tree
    }

    struct Task {
        uint32 active; // joined Supernodes
        uint32 lastRound;
        uint32 head; // last round with a standing result, 0: none
        uint32 inFlight; // rounds whose budget is reserved
        bool closed;
    }

    struct Round {
        uint48 openBlock;
        uint32 openedAt;
        uint32 closedAt;
        uint32 postedAt; // for a frozen round: when it was frozen
        uint32 parent; // round whose model it starts from, 0: the task's base model
        uint32 eligible; // Supernodes joined when it opened
        uint32 commits; // number of commits under commitsRoot
        Phase phase;
        bytes32 commitsRoot; // until the result, which then states it (one storage slot holds both in turn)
        bytes32 resultHash; // from then on: keccak256(abi.encode(Result))
    }

    struct Result {
        bytes32 commitsRoot; // must be the round's
        bytes32 inputsRoot;
        bytes32 aggregateRoot;
        bytes32 gradientRoot;
        bytes32 scoreRoot;
        bytes32 modelDigest;
        bytes32 manifestDigest;
        bytes32 rewardRoot;
        bytes32 forcedHash; // must be the round's at the time of posting
        uint32 inputs; // nodes under inputsRoot
        uint32 revealed; // commits (forced ones included) whose content arrived, valid or not
        uint32 weightSum;
        uint128 rewardTotal; // sum of the cumulative rewards under rewardRoot
    }

    event TaskCreated(uint64 indexed task, bytes32 indexed appHash, TaskRules rules);
    event TaskClosed(uint64 indexed task, uint256 refunded);
    event SuperlinkReplaced(uint64 indexed task, address indexed superlink);
    event Admitted(uint64 indexed task, address indexed owner, bool admitted);
    event Joined(uint64 indexed task, address indexed operator, address indexed owner);
    event Left(uint64 indexed task, address indexed operator);
    event RoundOpened(uint64 indexed task, uint64 indexed round, uint64 parent, uint32 eligible);
    event ForcedCommit(
        uint64 indexed task,
        uint64 indexed round,
        address indexed node,
        bytes32 commitment,
        bytes signature
    );
    event CommitsClosed(uint64 indexed task, uint64 indexed round, uint32 commits, bytes32 root, bytes32 seed);
    event ResultPosted(uint64 indexed task, uint64 indexed round, Result result);
    event Contested(uint64 indexed task, uint64 indexed round, address indexed node);
    event Dismissed(uint64 indexed task, uint64 indexed round, address indexed node);
    event Challenged(uint64 indexed task, uint64 indexed round, address indexed challenger, string reason);
    event Resolved(uint64 indexed task, uint64 indexed round, bool valid);
    event Finalized(uint64 indexed task, uint64 indexed round, bytes32 rewardRoot, uint256 rewardTotal);
    event Aborted(uint64 indexed task, uint64 indexed round);
    event Voided(uint64 indexed task, uint64 indexed round);

    error UnknownTask(uint64 task);
    error TaskIsClosed(uint64 task);
    error BadRules(string what);
    error NotSuperlink(address caller, address superlink);
    error NotOwnerOf(address operator, address caller);
    error NotAdmitted(uint64 task, address owner);
    error AlreadyJoined(uint64 task, address account);
    error NotJoined(uint64 task, address operator);
    error StakeOutsideRules(uint256 stake, uint256 minimum);
    error StillQualified(uint64 task, address operator);
    error WrongPhase(uint64 task, uint64 round, Phase phase);
    error TooEarly(uint256 notBefore);
    error TooLate(uint256 deadline);
    error QuorumMissed(uint256 have, uint256 quorum);
    error NotFunded(uint64 task, uint256 available, uint256 needed);
    error BondTooSmall(uint256 stake, uint256 bond);
    error BadSignature(address recovered, address node);
    error AlreadyCommitted(uint64 task, uint64 round, address node);
    error ForcedCommitIgnored(bytes32 stated, bytes32 actual);
    error RevealsMissing(uint256 revealed, uint256 commits);
    error BadResult(string what);
    error BadProof();
    error ParentNotFinal(uint64 task, uint64 parent);
    error StillContested(uint64 task, uint64 round, uint256 count);
    error NotContested(uint64 task, uint64 round, address node);
    error RoundsInFlight(uint64 task, uint256 count);

    // The DAO (owner: the timelock)
    function createTask(TaskRules calldata rules, uint256 funds) external returns (uint64 task);
    function closeTask(uint64 task, address refundTo) external;
    function setSuperlink(uint64 task, address superlink) external;
    function admit(uint64 task, address owner, bool admitted) external;
    /// @notice Decide a frozen round. The bond goes back when the challenge was right, to the owner when it was not.
    function resolve(uint64 task, uint64 round, bool valid) external;

    // Owners of Supernodes: one Supernode per owner and task
    function join(uint64 task, address operator) external;
    /// @notice By the Supernode's owner or the operator itself.
    function leave(uint64 task, address operator) external;
    /// @notice Anyone may remove a joined Supernode whose stake fell below the minimum or whose admission ended.
    function expire(uint64 task, address operator) external;

    // The round
    /// @notice Anyone may open a round when none is in progress, the head is not frozen, the budget is there, quorum
    /// Supernodes have joined and the Superlink has its bond.
    function openRound(uint64 task) external returns (uint64 round);
    /// @notice A node's own signed commit, sent by anyone; see docs/protocol.md for what it does in each phase.
    function commit(uint64 task, uint64 round, address node, bytes32 commitment, bytes calldata signature) external;
    /// @notice Superlink only: after the commit deadline, or earlier with as many commits as eligible Supernodes.
    function closeCommits(uint64 task, uint64 round, bytes32 root, uint32 commits) external;
    /// @notice Superlink only.
    function postResult(uint64 task, uint64 round, Result calldata result) external;
    /// @notice Show that a contested commit is in the commits tree (of the posted `result`) after all.
    function dismiss(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        uint256 index,
        bytes32[] calldata proof,
        Result calldata result
    ) external;
    /// @notice Freeze a posted round within its challenge window, for a bond.
    function challenge(uint64 task, uint64 round, string calldata reason) external;
    function finalize(uint64 task, uint64 round, Result calldata result) external;
    /// @notice Anyone, past a deadline of an unposted round, or when its parent is void; the Superlink past the commit
    /// deadline of an open one.
    function abort(uint64 task, uint64 round) external;
    /// @notice Anyone: a posted or frozen round whose parent is void, whose contest went unanswered, or which stayed
    /// unresolved.
    function voidRound(uint64 task, uint64 round) external;

    function rulesOf(uint64 task) external view returns (TaskRules memory);
    function taskOf(uint64 task) external view returns (Task memory);
    function roundOf(uint64 task, uint64 round) external view returns (Round memory);
    function forcedHashOf(uint64 task, uint64 round) external view returns (bytes32);
    function forcedCountOf(uint64 task, uint64 round) external view returns (uint256);
    function contestedCountOf(uint64 task, uint64 round) external view returns (uint256);
    function isJoined(uint64 task, address operator) external view returns (bool);
    function taskCount() external view returns (uint64);
}
