// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Reveals by way of the chain
/// @notice The way out of a node that gets no receipt for its update. Who opens a commitment here, in the reveal period, has the
/// record on its side: its update was neither withheld nor late, and the Superlink has to fetch it from where its CID is served.
interface IForcedReveals {
    /// @notice A commitment of a round was opened by way of the chain.
    event ForcedReveal(
        uint64 indexed task,
        uint64 indexed round,
        bytes32 indexed commitment,
        bytes32 cid,
        bytes32 bodyRoot,
        bytes32 salt
    );

    /// @notice The commitment was opened here before.
    error AlreadyRevealed(uint64 task, uint64 round, bytes32 commitment);

    /// @notice Opens a commitment of a closed round, in the first seven eighths of its reveal period. Anyone may call, once for
    /// each commitment; one that nobody made to the round is of no effect.
    /// @param task the task
    /// @param round the round, which must be closed
    /// @param cid digest of the update's CID
    /// @param bodyRoot root of the update's body
    /// @param salt the commitment's salt
    function reveal(uint64 task, uint64 round, bytes32 cid, bytes32 bodyRoot, bytes32 salt) external;

    /// @notice Returns whether a commitment of a round was opened by way of the chain.
    /// @param task the task
    /// @param round the round
    /// @param commitment the commitment
    /// @return whether it was
    function isRevealed(uint64 task, uint64 round, bytes32 commitment) external view returns (bool);
    /// @notice Returns the number of commitments of a round that were opened by way of the chain.
    /// @param task the task
    /// @param round the round
    /// @return the number
    function countOf(uint64 task, uint64 round) external view returns (uint256);
}
