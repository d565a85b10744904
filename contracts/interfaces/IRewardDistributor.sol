// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Escrow and rewards of tasks
/// @notice Claims of a task never exceed what it was funded with. Nothing can pause a claim; what is promised can be
/// claimed for as long as the task goes on, and for a year after it closed at least.
interface IRewardDistributor {
    /// @notice Someone added tokens to a task's escrow.
    event Funded(uint256 indexed task, address indexed from, uint256 amount);
    /// @notice The rewards under a root became claimable; `total` is the sum of all since the task began. The coordinator's
    /// `Finalized` names the root.
    event Activated(uint256 indexed task, uint256 total);
    /// @notice An owner was paid; `cumulative` is the sum of all its payments by this task.
    event Claimed(uint256 indexed task, address indexed owner, uint256 amount, uint256 cumulative);
    /// @notice The part of the escrow that no root had promised went back.
    event Refunded(uint256 indexed task, address indexed to, uint256 amount);
    /// @notice The DAO took back what nobody had claimed a year after the task closed.
    event Recovered(uint256 indexed task, address indexed to, uint256 amount);

    /// @notice The caller is not the TrainingCoordinator.
    error NotCoordinator(address caller);
    /// @notice The caller is not the DAO, which owns the coordinator.
    error NotDao(address caller);
    /// @notice The task is not closed.
    error TaskNotClosed(uint256 task);
    /// @notice Owners may claim, and nobody may take their rewards back, until this time.
    error StillClaimable(uint256 task, uint256 until);
    /// @notice The proof does not lead from the leaf to one of the task's newest 64 roots: take that of a newer final
    /// round.
    error BadProof(uint256 task);
    /// @notice The owner has claimed all of this.
    error NothingToClaim(uint256 task, address owner);
    /// @notice The total exceeds the task's escrow, or the sum that its newest root promises.
    error ExceedsEscrow(uint256 task, uint256 total, uint256 funded);
    /// @notice The total is below the sum that was promised before.
    error TotalDecreased(uint256 task, uint256 total, uint256 previous);
    /// @notice The amount is zero, or nothing is left.
    error ZeroAmount();

    /// @notice Adds tokens of the caller, who approved this contract, to the escrow of a task that is not closed,
    /// which holds 2^112 - 1 wei at most. The first to fund a task pays for the slots of its roots. Anyone may call.
    /// @param task the task
    /// @param amount tokens in wei
    function fund(uint256 task, uint256 amount) external;
    /// @notice Adds tokens of an account that approved this contract to a task's escrow. Only the coordinator may call.
    /// @param from the account that pays
    /// @param task the task
    /// @param amount tokens in wei
    function fundFrom(address from, uint256 task, uint256 amount) external;
    /// @notice Makes the rewards under a root claimable, and those under the root 64 before no longer. Only the
    /// coordinator may call.
    /// @param task the task
    /// @param root root of the tree of accounts
    /// @param total sum of their rewards in wei, not below the one before
    function activate(uint256 task, bytes32 root, uint256 total) external;
    /// @notice Refunds the part of a task's escrow that no root has promised, as the task closes for good. Only the
    /// coordinator may call.
    /// @param task the task
    /// @param to receives the refund
    /// @return amount the refund in wei
    function refund(uint256 task, address to) external returns (uint256 amount);
    /// @notice Takes back what nobody has claimed of a task that closed 365 days ago or earlier: what was promised to
    /// nobody, and what its owners left. No claim of the task is paid from then on. Only the DAO may call.
    /// @param task the task
    /// @param to receives the tokens
    /// @return amount the tokens in wei
    function recoverUnclaimed(uint256 task, address to) external returns (uint256 amount);
    /// @notice Pays an owner its cumulative reward less its earlier claims. Anyone may call; the owner is paid.
    /// @param task the task
    /// @param leaf the owner's account under one of the task's newest 64 roots, 72 bytes: the owner, its reward in wei
    /// (16 bytes), and what the next round needs (docs/protocol.md, "Accounts")
    /// @param index the leaf's index
    /// @param proof the leaf's 20 siblings, from the bottom up
    function claim(uint256 task, bytes calldata leaf, uint256 index, bytes32[] calldata proof) external;

    /// @notice Returns the sum of all payments into a task's escrow, less refunds.
    /// @param task the task
    /// @return tokens in wei
    function fundedOf(uint256 task) external view returns (uint256);
    /// @notice Returns the sum of all cumulative rewards under the newest root.
    /// @param task the task
    /// @return tokens in wei
    function totalOf(uint256 task) external view returns (uint256);
    /// @notice Returns the part of a task's escrow that the newest root does not promise.
    /// @param task the task
    /// @return tokens in wei
    function availableOf(uint256 task) external view returns (uint256);
    /// @notice Returns the newest root of a task's accounts.
    /// @param task the task
    /// @return the root; 0 when there is none
    function rootOf(uint256 task) external view returns (bytes32);
    /// @notice Returns whether a root is one of the task's newest 64, against which claims are paid.
    /// @param task the task
    /// @param root the root
    /// @return whether it is
    function isRecent(uint256 task, bytes32 root) external view returns (bool);
    /// @notice Returns the sum of all payments of a task to an owner.
    /// @param task the task
    /// @param owner the owner
    /// @return tokens in wei
    function claimedOf(uint256 task, address owner) external view returns (uint256);
}
