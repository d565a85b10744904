// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Tasks, rounds, commits and results
/// @notice The state machine of docs/protocol.md. A round is finalized at most once; a forced commit is never dropped;
/// phases follow block time; no step needs anyone's goodwill.
interface ITrainingCoordinator {
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

    /// @notice The rules of a task. Each round keeps those that it opened with; the DAO changes those of later rounds,
    /// but neither what models, updates and proofs are made of nor who may join: see `changeRules`.
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
        uint128 challengeBond; // what a challenge puts at risk; not zero
        bytes32 appHash; // content digest of the app's bundle
        bytes32 baseModel; // content digest of the first model
        bytes32 validationRoot; // root of the shard tree
    }

    /// @notice What a task has come to.
    struct Task {
        uint32 active; // joined Supernodes
        uint32 lastRound;
        uint32 head; // last round with a standing result, 0: none
        uint32 inFlight; // rounds whose budget is reserved
        bool closed;
    }

    /// @notice What a round has come to; a time that has not come is 0.
    struct Round {
        uint48 openBlock;
        uint32 openedAt;
        uint32 closedAt;
        uint32 postedAt; // for a frozen round: when it was frozen
        uint32 parent; // round whose model it starts from, 0: the task's base model
        uint32 eligible; // Supernodes joined when it opened
        uint32 commits; // number of commits under commitsRoot
        Phase phase;
        bytes32 closing; // keccak256(abi.encode(commitsRoot, seed)); 0 from the result on (one slot holds both in turn)
        bytes32 resultHash; // from then on: keccak256(abi.encode(Result))
    }

    /// @notice What the Superlink states of a round.
    struct Result {
        bytes32 commitsRoot; // must be the one that commits were closed with
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

    /// @notice The DAO created a task.
    event TaskCreated(uint64 indexed task, bytes32 indexed appHash, TaskRules rules);
    /// @notice The DAO ended a task; what was left of its escrow was refunded.
    event TaskClosed(uint64 indexed task, uint256 refunded);
    /// @notice Rounds that open from now on have these rules; those of the task's creation have version 1.
    event RulesChanged(uint64 indexed task, uint16 version, TaskRules rules);
    /// @notice Rounds that open from now on have this Superlink; `RulesChanged` follows.
    event SuperlinkReplaced(uint64 indexed task, address indexed superlink);
    /// @notice The DAO admitted an owner, or no longer does.
    event Admitted(uint64 indexed task, address indexed owner, bool admitted);
    /// @notice A Supernode takes part from the next round on.
    event Joined(uint64 indexed task, address indexed operator, address indexed owner);
    /// @notice A Supernode left or was removed.
    event Left(uint64 indexed task, address indexed operator);
    /// @notice A round opened on the model of its parent.
    event RoundOpened(uint64 indexed task, uint64 indexed round, uint64 parent, uint32 eligible);
    /// @notice A node's commit came by the chain; the signature is the operator's.
    event ForcedCommit(
        uint64 indexed task,
        uint64 indexed round,
        address indexed node,
        bytes32 commitment,
        bytes signature
    );
    /// @notice Commits are closed; the seed draws the validation shard.
    event CommitsClosed(
        uint64 indexed task,
        uint64 indexed round,
        uint32 commits,
        bytes32 root,
        bytes32 seed
    );
    /// @notice The Superlink posted a result.
    event ResultPosted(uint64 indexed task, uint64 indexed round, Result result);
    /// @notice The node's commit came after the result, which stands only if it is in its tree.
    event Contested(uint64 indexed task, uint64 indexed round, address indexed node);
    /// @notice It was in the tree.
    event Dismissed(uint64 indexed task, uint64 indexed round, address indexed node);
    /// @notice Someone froze a result for a bond.
    event Challenged(uint64 indexed task, uint64 indexed round, address indexed challenger, string reason);
    /// @notice The DAO decided on a frozen result.
    event Resolved(uint64 indexed task, uint64 indexed round, bool valid);
    /// @notice The round's rewards are claimable.
    event Finalized(uint64 indexed task, uint64 indexed round, bytes32 rewardRoot, uint256 rewardTotal);
    /// @notice The round ended without a result.
    event Aborted(uint64 indexed task, uint64 indexed round);
    /// @notice The result is void.
    event Voided(uint64 indexed task, uint64 indexed round);

    /// @notice There is no such task.
    error UnknownTask(uint64 task);
    /// @notice The task has ended.
    error TaskIsClosed(uint64 task);
    /// @notice The rule named is broken.
    error BadRules(string what);
    /// @notice Only the task's Superlink may.
    error NotSuperlink(address caller, address superlink);
    /// @notice Only the Supernode's owner (to leave: or the operator) may.
    error NotOwnerOf(address operator, address caller);
    /// @notice The task is for admitted owners only.
    error NotAdmitted(uint64 task, address owner);
    /// @notice The owner has a Supernode in this task.
    error AlreadyJoined(uint64 task, address account);
    /// @notice The Supernode is not in the task, or was not when the round opened.
    error NotJoined(uint64 task, address operator);
    /// @notice The Supernode has, or had when the round opened, less stake than the task asks for.
    error StakeOutsideRules(uint256 stake, uint256 minimum);
    /// @notice The Supernode has its stake and its admission.
    error StillQualified(uint64 task, address operator);
    /// @notice The round is in this phase, in which that may not happen.
    error WrongPhase(uint64 task, uint64 round, Phase phase);
    /// @notice Not before this time.
    error TooEarly(uint256 notBefore);
    /// @notice The window ended at this time.
    error TooLate(uint256 deadline);
    /// @notice Fewer Supernodes or commits than the task's quorum.
    error QuorumMissed(uint256 have, uint256 quorum);
    /// @notice The escrow does not cover the rounds in flight and one more.
    error NotFunded(uint64 task, uint256 available, uint256 needed);
    /// @notice The Superlink has less stake in the registry than the task asks for.
    error BondTooSmall(uint256 stake, uint256 bond);
    /// @notice The node's operator did not sign this commit.
    error BadSignature(address recovered, address node);
    /// @notice The node's commit of this round is on chain.
    error AlreadyCommitted(uint64 task, uint64 round, address node);
    /// @notice The result does not state the forced commits on chain.
    error ForcedCommitIgnored(bytes32 stated, bytes32 actual);
    /// @notice Before the reveal deadline all must have revealed.
    error RevealsMissing(uint256 revealed, uint256 commits);
    /// @notice The field named is wrong.
    error BadResult(string what);
    /// @notice The proof does not lead to the result's commits root.
    error BadProof();
    /// @notice The round that it builds on must be finalized first.
    error ParentNotFinal(uint64 task, uint64 parent);
    /// @notice Forced commits came after the result and nobody has dismissed them.
    error StillContested(uint64 task, uint64 round, uint256 count);
    /// @notice No such commit of this node contests the result.
    error NotContested(uint64 task, uint64 round, address node);
    /// @notice Rounds must end first.
    error RoundsInFlight(uint64 task, uint256 count);

    // The DAO (owner: the timelock)

    /// @notice Create a task under `rules`, all of which are checked (`BadRules` names the one that fails), and move
    /// `funds` of the caller, who approved the distributor, into its escrow.
    /// @return task its number, from 1
    function createTask(TaskRules calldata rules, uint256 funds) external returns (uint64 task);
    /// @notice End a task without rounds in flight for good; what no root has promised goes to `refundTo`. Where rounds
    /// follow each other without a gap, pause first: those in flight end by themselves.
    function closeTask(uint64 task, address refundTo) external;
    /// @notice Change the rules of the rounds that open from now on; a round in progress or undecided keeps its own.
    /// Those of `createTask` are checked again, and `superlink`, `shards`, `bodyDepth`, `codec`, `admittedOnly`,
    /// `appHash`, `baseModel` and `validationRoot` must be what they are (`BadRules` names the one that fails).
    function changeRules(uint64 task, TaskRules calldata rules) external;
    /// @notice Replace the Superlink of the rounds that open from now on.
    function setSuperlink(uint64 task, address superlink) external;
    /// @notice Let an owner take part in a task for admitted members only, or no longer.
    function admit(uint64 task, address owner, bool admitted) external;
    /// @notice Decide a frozen round within `resolvePeriod`. Valid: it is posted again, with a fresh challenge window,
    /// and the bond is the owner's. Not valid: it is void, and the bond goes back.
    function resolve(uint64 task, uint64 round, bool valid) external;

    // Owners of Supernodes: one Supernode per owner and task

    /// @notice By the Supernode's owner. It takes part in rounds that open in a later block.
    function join(uint64 task, address operator) external;
    /// @notice By the Supernode's owner or the operator itself.
    function leave(uint64 task, address operator) external;
    /// @notice Anyone may remove a joined Supernode whose stake is below the minimum, of the next round and of every
    /// round in flight, or whose admission ended.
    function expire(uint64 task, address operator) external;

    // The round

    /// @notice Anyone may open a round when none is in progress, the head is not frozen, the budget is there, quorum
    /// Supernodes have joined and the Superlink has its bond.
    /// @return round its number, from 1
    function openRound(uint64 task) external returns (uint64 round);
    /// @notice A node's own signed commit, sent by anyone: while the round is open, until the commit deadline; once it
    /// is closed, for `forcePeriod`. Before the result it is added to `forcedHash`, which the result must state; after
    /// it, it contests the result. One for each node and round, of those that had joined with enough stake at the end
    /// of the block before the round opened.
    function commit(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        bytes calldata signature
    ) external;
    /// @notice Superlink only: from the commit deadline on, or earlier when all eligible Supernodes have committed.
    /// @param root root of the tree of commits that the Superlink holds, without nodes whose forced commit is on chain
    /// @param commits number of commits under `root`; they and the forced ones must reach the quorum
    function closeCommits(uint64 task, uint64 round, bytes32 root, uint32 commits) external;
    /// @notice Superlink only: before the reveal deadline only when `revealed` is all commits under the root and all
    /// forced ones (a node that is under the root and forced its commit after closing counts twice).
    /// @param seed the one that CommitsClosed told: what was computed with the seed of a closing that a reorg took back
    /// is refused
    function postResult(uint64 task, uint64 round, bytes32 seed, Result calldata result) external;
    /// @notice Anyone, within `challengePeriod` of the last contest: show that a contested commit is in the commits tree
    /// of the posted `result` after all.
    function dismiss(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        uint256 index,
        bytes32[] calldata proof,
        Result calldata result
    ) external;
    /// @notice Freeze a posted round within its challenge window, for a bond that the caller approved.
    function challenge(uint64 task, uint64 round, string calldata reason) external;
    /// @notice Anyone, once both windows have passed, nothing contests the result and its parent is final: make its
    /// rewards claimable. A result that pays more than the round's budget, or less than its parent, is void instead.
    function finalize(uint64 task, uint64 round, Result calldata result) external;
    /// @notice Anyone, past a deadline of an unposted round, or at once when a result that it builds on is void; the
    /// Superlink past the commit deadline of an open one.
    function abort(uint64 task, uint64 round) external;
    /// @notice Anyone: a posted or frozen round whose parent is void, whose contest went unanswered, or which stayed
    /// unresolved. A challenge's bond goes back.
    function voidRound(uint64 task, uint64 round) external;

    // Reading

    /// @notice The rules that the next round opens with.
    function rulesOf(uint64 task) external view returns (TaskRules memory);
    /// @notice The rules that this round opened with.
    function rulesOfRound(uint64 task, uint64 round) external view returns (TaskRules memory);
    /// @notice What the task has come to.
    function taskOf(uint64 task) external view returns (Task memory);
    /// @notice The round; of phase None when there is none.
    function roundOf(uint64 task, uint64 round) external view returns (Round memory);
    /// @notice Chain over the forced commits before the result, which the result must state.
    function forcedHashOf(uint64 task, uint64 round) external view returns (bytes32);
    /// @notice Number of forced commits before the result.
    function forcedCountOf(uint64 task, uint64 round) external view returns (uint256);
    /// @notice Number of forced commits after the result that nobody has dismissed.
    function contestedCountOf(uint64 task, uint64 round) external view returns (uint256);
    /// @notice Whether the Supernode takes part in the task.
    function isJoined(uint64 task, address operator) external view returns (bool);
    /// @notice Number of tasks; they are numbered from 1.
    function taskCount() external view returns (uint64);
}
