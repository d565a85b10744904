// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Tasks and their rules
/// @notice A task is one model that the DAO has trained, round after round. The DAO (owner of the contract: the
/// timelock) creates it, changes its rules for later rounds, and closes it.
interface ITasks {
    /// @notice The rules of a task. Each round keeps the rules that it opened with. The DAO changes those of later
    /// rounds, but neither what models, updates and proofs are made of nor who may join: see `changeRules`.
    struct TaskRules {
        address superlink; // operator key of the Superlink
        uint32 commitPeriod; // seconds, as all periods
        uint32 revealPeriod;
        uint32 resultPeriod;
        uint32 challengePeriod;
        uint32 resolvePeriod;
        uint32 quorum; // least number of commits of a round
        uint32 shards; // number of validation shards under validationRoot
        uint8 bodyDepth; // depth of the body trees
        uint8 codec; // 0 int8, 1 float32, 2 topk
        bool admittedOnly; // one equal unit of weight for each admitted owner
        uint32 closeAfter; // seconds from which on commits may close once enough have committed
        uint8 closeShare; // per cent of the eligible that are enough; 100: all of them
        uint16 maxInFlight; // rounds that may be undecided at a time
        uint128 minStake; // least stake of a Supernode that takes part
        uint128 maxStake; // a larger stake weighs as much as this one
        uint128 roundBudget; // most that one round pays
        uint128 superlinkBond; // what a wrong result costs the Superlink, whose stake covers it for each of its tasks
        uint128 challengeBond; // what a challenger puts at risk; not zero
        uint32 chunks; // of the model
        uint32 scoredChunks; // the first ones, of trained parameters: gradients and scores are of them alone
        bytes32 appHash; // content digest of the app's bundle
        bytes32 baseModel; // content digest of the first model
        bytes32 baseModelRoot; // body root of the first model's chunks
        bytes32 validationRoot; // root of the shard tree
        bytes32 card; // content digest of the card: name, purpose, data, metric, settings of the app
    }

    /// @notice The state of a task.
    struct Task {
        uint32 active; // joined Supernodes
        uint32 lastRound; // number of the round that opened last, 0: none
        uint32 head; // last round with a standing result, 0: none
        uint32 inFlight; // rounds whose budget is reserved
        bool closed;
    }

    /// @notice The DAO created a task.
    event TaskCreated(uint64 indexed task, bytes32 indexed appHash, TaskRules rules);
    /// @notice The DAO closed a task; `refunded` of its escrow was promised to nobody and went back.
    event TaskClosed(uint64 indexed task, uint256 refunded);
    /// @notice Rounds that open from now on have these rules; those of the task's creation have version 1.
    event RulesChanged(uint64 indexed task, uint16 version, TaskRules rules);
    /// @notice Rounds that open from now on have this Superlink; `RulesChanged` follows.
    event SuperlinkReplaced(uint64 indexed task, address indexed superlink);

    /// @notice There is no such task.
    error UnknownTask(uint64 task);
    /// @notice The task is closed.
    error TaskIsClosed(uint64 task);
    /// @notice The rule named `what` is not allowed.
    error BadRules(string what);
    /// @notice The task has rounds in flight, which must end first.
    error RoundsInFlight(uint64 task, uint256 count);

    /// @notice Creates a task and moves `funds` of the caller, who approved the distributor, into its escrow. Only the
    /// DAO may call.
    /// @param rules the task's rules; all of them are checked, and `BadRules` names the one that fails
    /// @param funds first funding of the escrow in wei, or 0
    /// @return task the task's number, from 1
    function createTask(TaskRules calldata rules, uint256 funds) external returns (uint64 task);
    /// @notice Closes a task for good and refunds what no root has promised. The task must have no rounds in
    /// flight: where rounds follow each other without a gap, pause first, and they end by themselves. Only the DAO may
    /// call.
    /// @param task the task
    /// @param refundTo receives the refund
    function closeTask(uint64 task, address refundTo) external;
    /// @notice Changes the rules of the rounds that open from now on; a round in progress or undecided keeps its own.
    /// Only the DAO may call.
    /// @param task the task
    /// @param rules all rules, checked as by `createTask`; `superlink`, `shards`, `bodyDepth`, `codec`, `admittedOnly`,
    /// `chunks`, `scoredChunks`, `appHash`, `baseModel`, `baseModelRoot` and `validationRoot` must be what they are
    /// (`BadRules` names the one that fails)
    function changeRules(uint64 task, TaskRules calldata rules) external;
    /// @notice Replaces the Superlink of the rounds that open from now on. Only the DAO may call.
    /// @param task the task
    /// @param superlink operator key of the new Superlink
    function setSuperlink(uint64 task, address superlink) external;

    /// @notice Appends shards of validation data, so that a task goes on when its own run out: for the rounds that open from
    /// now on. The old ones stay as they are, under a new root. Only the DAO may call.
    /// @param task the task
    /// @param shards how many there are then, with the old ones: at most 65,536
    /// @param first hash of the first new leaf of the shard tree
    /// @param path its siblings in the new tree, from the bottom up: they lead to the new root, and those on its left, over
    /// nothing, to the old one
    function appendShards(uint64 task, uint32 shards, bytes32 first, bytes32[] calldata path) external;

    /// @notice Returns the rules that the next round opens with.
    /// @param task the task
    /// @return the rules
    function rulesOf(uint64 task) external view returns (TaskRules memory);
    /// @notice Returns the state of a task.
    /// @param task the task
    /// @return the state
    function taskOf(uint64 task) external view returns (Task memory);
    /// @notice Returns the bonds that all open tasks which name a Superlink ask of it together: its rounds open only while
    /// its stake covers them.
    /// @param superlink operator key of the Superlink
    /// @return their sum in wei
    function bondsOf(address superlink) external view returns (uint256);
    /// @notice Returns the number of tasks, which are numbered from 1.
    /// @return the number
    function taskCount() external view returns (uint64);
}
