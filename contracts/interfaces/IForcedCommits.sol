// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Commits by way of the chain
/// @notice The way out of a node that its Superlink ignores, while commits are taken: none counts that is made once the
/// seed is known. A forced commit is never dropped: a result states all of them.
interface IForcedCommits {
    /// @notice A node's commit came by way of the chain; the signature is the operator's.
    event ForcedCommit(
        uint64 indexed task,
        uint64 indexed round,
        address indexed node,
        bytes32 commitment,
        bytes signature
    );

    /// @notice The node's operator did not sign this commit to this opening of the round.
    error BadSignature(address recovered, address node);
    /// @notice The closing, or the result, does not state the forced commits on chain.
    error ForcedCommitIgnored(bytes32 stated, bytes32 actual);
    /// @notice The node's commit of this round is on chain.
    error AlreadyCommitted(uint64 task, uint64 round, address node);

    /// @notice Forces a node's signed commit, while the round is open and until its commit deadline. It is added to
    /// `forcedHash`, which the result must state. Anyone may call, once for each node and round; the node must take part
    /// in the round.
    /// @param task the task
    /// @param round the round, which must be open
    /// @param node operator of the Supernode
    /// @param commitment the commitment
    /// @param signature EIP-712 `Commit(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)` by the
    /// operator, with the opening that `roundOf` returns
    function commit(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        bytes calldata signature
    ) external;

    /// @notice Returns the hash chain over the forced commits of a round, which its result must state.
    /// @param task the task
    /// @param round the round
    /// @return the hash, or 0 when there are none
    function forcedHashOf(uint64 task, uint64 round) external view returns (bytes32);
    /// @notice Returns the number of forced commits of a round.
    /// @param task the task
    /// @param round the round
    /// @return the number
    function forcedCountOf(uint64 task, uint64 round) external view returns (uint256);
}
