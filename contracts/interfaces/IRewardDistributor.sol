// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Escrow and rewards of tasks
/// @notice Claims of a task never exceed what it was funded with. Nothing can pause a claim.
interface IRewardDistributor {
    /// @notice Tokens came into a task's escrow.
    event Funded(uint256 indexed task, address indexed from, uint256 amount);
    /// @notice A root became claimable; `total` is all it has promised since the task began.
    event Activated(uint256 indexed task, bytes32 root, uint256 total);
    /// @notice An owner was paid; `cumulative` is all it has been paid of this task.
    event Claimed(uint256 indexed task, address indexed owner, uint256 amount, uint256 cumulative);
    /// @notice What no root had promised left the escrow.
    event Refunded(uint256 indexed task, address indexed to, uint256 amount);

    /// @notice Only the TrainingCoordinator may.
    error NotCoordinator(address caller);
    /// @notice The active root does not hold this leaf: take the proof of the last finalized round.
    error BadProof(uint256 task, address owner, uint256 cumulative);
    /// @notice All of this was claimed already.
    error NothingToClaim(uint256 task, address owner);
    /// @notice More than the task's escrow, or than its root has promised.
    error ExceedsEscrow(uint256 task, uint256 total, uint256 funded);
    /// @notice What was promised cannot be taken back.
    error TotalDecreased(uint256 task, uint256 total, uint256 previous);
    /// @notice Nothing to add.
    error ZeroAmount();

    /// @notice Add to a task's escrow from the caller's tokens.
    function fund(uint256 task, uint256 amount) external;
    /// @notice Coordinator only: add from `from`, which approved this contract.
    function fundFrom(address from, uint256 task, uint256 amount) external;
    /// @notice Coordinator only: make `root` (cumulative amounts, adding up to `total`) claimable.
    function activate(uint256 task, bytes32 root, uint256 total) external;
    /// @notice Coordinator only: send what no root has promised to `to`.
    function refund(uint256 task, address to) external returns (uint256 amount);
    /// @notice Pay `owner` what `cumulative` exceeds its earlier claims by. Anyone may call; the owner is paid.
    function claim(uint256 task, address owner, uint256 cumulative, bytes32[] calldata proof) external;

    /// @notice All that was paid into a task's escrow, less refunds.
    function fundedOf(uint256 task) external view returns (uint256);
    /// @notice Sum of all cumulative rewards under the active root.
    function totalOf(uint256 task) external view returns (uint256);
    /// @notice Escrow that no active root has promised.
    function availableOf(uint256 task) external view returns (uint256);
    /// @notice The active reward root of a task.
    function rootOf(uint256 task) external view returns (bytes32);
    /// @notice All that an owner was paid of a task.
    function claimedOf(uint256 task, address owner) external view returns (uint256);
    /// @notice The leaf of the reward tree that says so.
    function leaf(uint256 task, address owner, uint256 cumulative) external view returns (bytes32);
}
