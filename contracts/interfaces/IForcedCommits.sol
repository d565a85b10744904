// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "./IRounds.sol";

/// @title Commits by way of the chain
/// @notice The way out of a node that its Superlink ignores. A forced commit is never dropped: a final result states
/// all that came before it, and those that came after it were shown to be in its tree of commits.
interface IForcedCommits {
    /// @notice A node's commit came by way of the chain; the signature is the operator's.
    event ForcedCommit(
        uint64 indexed task,
        uint64 indexed round,
        address indexed node,
        bytes32 commitment,
        bytes signature
    );
    /// @notice The node's commit came after the result, which stands only if the commit is in its tree.
    event Contested(uint64 indexed task, uint64 indexed round, address indexed node);
    /// @notice The node's commit is in the tree of the result, and contests it no more.
    event Dismissed(uint64 indexed task, uint64 indexed round, address indexed node);

    /// @notice The node's operator did not sign this commit.
    error BadSignature(address recovered, address node);
    /// @notice The node's commit of this round is on chain.
    error AlreadyCommitted(uint64 task, uint64 round, address node);
    /// @notice The proof does not lead to the result's commits root.
    error BadProof();
    /// @notice Forced commits came after the result, and nobody has dismissed them.
    error StillContested(uint64 task, uint64 round, uint256 count);
    /// @notice No such commit of this node contests the result.
    error NotContested(uint64 task, uint64 round, address node);

    /// @notice Forces a node's signed commit: while the round is open until the commit deadline, once it is closed for
    /// `forcePeriod`. Before the result the commit is added to `forcedHash`, which the result must state; after it, the
    /// commit contests the result. Anyone may call, once for each node and round; the node must have joined, with
    /// enough stake, by the end of the block before the round opened.
    /// @param task the task
    /// @param round the round
    /// @param node operator of the Supernode
    /// @param commitment the commitment
    /// @param signature EIP-712 `Commit(uint64 task,uint64 round,address node,bytes32 commitment)` by the operator
    function commit(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        bytes calldata signature
    ) external;
    /// @notice Dismisses a contest, within `challengePeriod` of the last one, by a proof that the commit is in the tree
    /// of the posted result. Anyone may call.
    /// @param task the task
    /// @param round the round, which must be posted or frozen
    /// @param node operator of the Supernode
    /// @param commitment the commitment that contests
    /// @param index position of the commit in the tree
    /// @param proof siblings from the leaf up
    /// @param result the result that was posted
    function dismiss(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        uint256 index,
        bytes32[] calldata proof,
        IRounds.Result calldata result
    ) external;

    /// @notice Returns the hash chain over the forced commits before the result, which the result must state.
    /// @param task the task
    /// @param round the round
    /// @return the hash, or 0 when there are none
    function forcedHashOf(uint64 task, uint64 round) external view returns (bytes32);
    /// @notice Returns the number of forced commits before the result.
    /// @param task the task
    /// @param round the round
    /// @return the number
    function forcedCountOf(uint64 task, uint64 round) external view returns (uint256);
    /// @notice Returns the number of forced commits after the result that nobody has dismissed.
    /// @param task the task
    /// @param round the round
    /// @return the number
    function contestedCountOf(uint64 task, uint64 round) external view returns (uint256);
}
