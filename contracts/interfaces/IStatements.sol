// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a result binds beyond itself
/// @notice The roots of all that a round is computed from and comes to, so that whatever is wrong in it can be shown by
/// openings of these trees: docs/protocol.md, "Trees". A result states the hash of its statement.
interface IStatements {
    /// @notice The roots of a round.
    struct Statement {
        bytes32 rowsRoot; // a row for each commit that counts, in the tree or forced, sorted by node
        bytes32 inputsRoot; // body roots and weights of the nodes that are ok, clipped or gated, sorted by node
        bytes32 aggregateRoot;
        bytes32 modelRoot; // the new model's chunks
        bytes32 newStepRoot; // of the step from the base model to the new one, encoded like an update
        bytes32 gateRoot; // of the reference gradient at the base model, 0 without one
        bytes32 gradientRoot; // of the reference gradient along the step, 0 without one
        bytes32 stepRoot; // of the last step, quantised like a gradient, 0 without one
        bytes32 gateTotals; // running totals of the gate gradient's square
        bytes32 stepTotals; // running totals of gradient times last step, and of the step's square
        bytes32 mediansHash; // sha256 of the list that both medians are of
        bytes32 usedShards; // sha256 of the bitmap of the shards ever drawn, this round's included
        uint256 gateSquare; // of the gate gradient, in 2^-96
        int256 gradientAlong; // product of the reference gradient with the last step, in 2^-96
        uint256 stepSquare; // of the last step, in 2^-96; 0 without one
        int256 alongMedian; // of the parts of values along the last step, at least 0, in 2^-80
        uint64 normMedian; // of the updates' norms, in 2^-32
        uint32 rows; // leaves under rowsRoot
        uint32 accounts; // leaves under the result's accountsRoot
    }
}
