// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "./IRounds.sol";
import { IStatements } from "./IStatements.sol";

/// @title What shows that a result is wrong
/// @notice A prover checks claims of one family against what a result states, by openings of its trees. It has no state:
/// the same proof is as good for everyone. `Disputes` calls it, after it has checked the result and its statement.
interface IProver {
    /// @notice The result that is accused.
    struct Case {
        uint64 task;
        uint64 round;
        IRounds.Result result; // as the coordinator holds it
        IStatements.Statement statement; // whose hash the result states
    }

    /// @notice The proof opens what it should, and the result is right there.
    error NotGuilty();
    /// @notice An opening leads to another root than the result's, or the proof is cut otherwise than it should be.
    error BadProof();
    /// @notice The claim does not exist, or is none of such a result.
    error BadShape();

    /// @notice Returns if the result is wrong as claimed, and reverts otherwise.
    /// @param accused the result
    /// @param claim number of the claim, from 0, within the prover's family
    /// @param proof the values and openings that the claim asks for
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view;
}
