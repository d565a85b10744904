// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Supernodes that commit twice
/// @notice A Supernode that signs two commits to one opening of a round could show each of two parties another one. Whoever shows
/// both takes the minimum stake from it, once for each round. The round stays as it is: what counts of it the provers say.
interface IEquivocations {
    /// @notice A commitment and its node's EIP-712 signature (`Commit`).
    struct Signed {
        bytes32 commitment;
        bytes signature;
    }

    /// @notice A Supernode lost stake for two commits to one opening; `paid` of it is the accuser's.
    event Equivocated(
        uint64 indexed task,
        uint64 indexed round,
        address indexed node,
        address accuser,
        uint256 slashed,
        uint256 paid
    );

    /// @notice These are not two commitments that a Supernode of the round signed to its opening.
    error NotTwice(uint64 task, uint64 round, address node);
    /// @notice The Supernode lost stake for this round before.
    error AlreadyEquivocated(uint64 task, uint64 round, address node);

    /// @notice Shows two commits of a Supernode to one opening: it loses the registry's minimum stake, or what is left of its
    /// stake, divided as a Superlink's bond is; where the task is closed, the escrow's part is burned. Anyone may call who
    /// announced it in an earlier block, as keccak256(abi.encode(caller, keccak256(abi.encode(task, round, node, first, second)))).
    /// @param task the task
    /// @param round the round, of any phase
    /// @param node the Supernode, which took part in the round
    /// @param first one commit
    /// @param second another one
    function convictNode(
        uint64 task,
        uint64 round,
        address node,
        Signed calldata first,
        Signed calldata second
    ) external;
}
