// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Reveals by way of the chain
/// @notice The way out of a node whose reveal the Superlink did not take, or gave no receipt for: it opens its commitment here, so that
/// its update can be fetched by its CID, and nobody can say that it was not revealed. Members that could fetch it, of which the
/// Superlink signs nothing, attest that, so that nobody can say that it could not be had either.
interface IForcedReveals {
    /// @notice A node opened its commitment by way of the chain.
    event ForcedReveal(
        uint64 indexed task,
        uint64 indexed round,
        address indexed node,
        bytes32 commitment,
        bytes32 cid,
        bytes32 bodyRoot,
        bytes32 salt
    );
    /// @notice A member that was drawn attests that it has the update that a node opened its commitment to, whole and valid.
    event Attested(uint64 indexed task, uint64 indexed round, address indexed node, address attester);

    /// @notice The node opened a commitment of this round before.
    error AlreadyRevealed(uint64 task, uint64 round, address node);
    /// @notice The node opened no commitment of this round here.
    error NotRevealed(uint64 task, uint64 round, address node);
    /// @notice The round was not closed with this root and seed.
    error WrongClosing(uint64 task, uint64 round);
    /// @notice The member is not drawn to attest for this node.
    error NotDrawn(uint64 task, uint64 round, address attester);
    /// @notice The member attested for this node before.
    error AlreadyAttested(uint64 task, uint64 round, address node, address attester);

    /// @notice Opens a commitment of the caller, while the round is closed, and until its reveal deadline less one part in 8, rounded down, of
    /// the reveal period: what comes later its Superlink could not act on. Only a member of the round may call, once; what it opens
    /// that is no commitment of the round has no effect.
    /// @param task the task
    /// @param round the round, which must be closed
    /// @param cid digest of the update's CID
    /// @param bodyRoot root of the update's body
    /// @param salt the salt of the commitment
    function reveal(uint64 task, uint64 round, bytes32 cid, bytes32 bodyRoot, bytes32 salt) external;
    /// @notice Attests that the caller has the update that a node opened its commitment to: its bytes are those of the CID, a decoder takes
    /// them, its body has the root. Until the reveal deadline; only a member of the round that its seed draws may call, once for each node.
    /// @param task the task
    /// @param round the round, which must be closed
    /// @param node the node, another one than the caller
    /// @param commitsRoot root of the commits that the round was closed with
    /// @param seed the seed that it was closed with
    function attest(uint64 task, uint64 round, address node, bytes32 commitsRoot, bytes32 seed) external;

    /// @notice Returns the commitment of a round that a node opened here.
    /// @param task the task
    /// @param round the round
    /// @param node the node
    /// @return the commitment, 0 where there is none
    function commitmentOf(uint64 task, uint64 round, address node) external view returns (bytes32);
    /// @notice Returns how many nodes opened a commitment of a round here.
    /// @param task the task
    /// @param round the round
    /// @return the number
    function countOf(uint64 task, uint64 round) external view returns (uint256);
    /// @notice Returns how many members attested that they have a node's update.
    /// @param task the task
    /// @param round the round
    /// @param node the node
    /// @return the number
    function attestationsOf(uint64 task, uint64 round, address node) external view returns (uint256);
    /// @notice Returns whether most of the members that were drawn attested that they have a node's update.
    /// @param task the task
    /// @param round the round
    /// @param node the node
    /// @return whether they did
    function isAttested(uint64 task, uint64 round, address node) external view returns (bool);
}
