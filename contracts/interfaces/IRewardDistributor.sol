// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Escrow and rewards of tasks
/// @notice Claims of a task never exceed what it was funded with. Nothing can pause a claim.
interface IRewardDistributor {
    event Funded(uint256 indexed task, address indexed from, uint256 amount);
    event Activated(uint256 indexed task, bytes32 root, uint256 total);
    event Claimed(uint256 indexed task, address indexed owner, uint256 amount, uint256 cumulative);
    event Refunded(uint256 indexed task, address indexed to, uint256 amount);

    error NotCoordinator(address caller);
    error BadProof(uint256 task, address owner, uint256 cumulative);
    error NothingToClaim(uint256 task, address owner);
    error ExceedsEscrow(uint256 task, uint256 total, uint256 funded);
    error TotalDecreased(uint256 task, uint256 total, uint256 previous);
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

    function fundedOf(uint256 task) external view returns (uint256);
    /// @notice Sum of all cumulative rewards under the active root.
    function totalOf(uint256 task) external view returns (uint256);
    /// @notice Escrow that no active root has promised.
    function availableOf(uint256 task) external view returns (uint256);
    function rootOf(uint256 task) external view returns (bytes32);
    function claimedOf(uint256 task, address owner) external view returns (uint256);
    function leaf(uint256 task, address owner, uint256 cumulative) external view returns (bytes32);
}
