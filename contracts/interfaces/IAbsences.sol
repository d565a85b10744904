// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Supernodes that are not there
/// @notice A Supernode that does nothing in three rounds in a row takes part no longer, so that nobody waits for it: it costs a round its
/// whole commit period. It loses nothing, and takes part again once its owner joins anew.
interface IAbsences {
    /// @notice A proof must end with the task's newest result, or the one before it.
    error NotNewest(uint64 task, uint64 round);
    /// @notice The Supernode was no member of the round, forced its commit, or was put to sleep after it.
    error NotAbsent(uint64 task, uint64 round, address node);

    /// @notice Takes a Supernode out of a task that neither committed nor passed in three rounds, each the parent of the next. Anyone
    /// may call.
    /// @param task the task
    /// @param round the newest of the three
    /// @param node the Supernode
    /// @param proof for each round, the newest first: its result as abi.encode has it, and the node's absence, as docs/disputes.md
    /// ("Supernodes that are not there") has it
    function sleep(uint64 task, uint64 round, address node, bytes calldata proof) external;

    /// @notice Returns the newest of the three rounds after which a Supernode was put to sleep last.
    /// @param task the task
    /// @param node the Supernode
    /// @return the round, 0 of one that never was
    function sleptAfter(uint64 task, address node) external view returns (uint64);
}
