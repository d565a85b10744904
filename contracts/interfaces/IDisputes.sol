// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "./IRounds.sol";
import { IStatements } from "./IStatements.sol";

/// @title Proofs that a result is wrong
/// @notice Whoever proves a posted or frozen result wrong voids it, and its Superlink loses the bond. It takes no bond and no
/// role: a proof that does not hold reverts. The accuser announces a proof one block before it shows it, so that nobody
/// takes the proof, and what it earns, from the pool of transactions.
interface IDisputes {
    /// @notice A result was proved wrong and is void. `slashed` is what its Superlink lost, `paid` what the accuser got of it;
    /// the task's escrow got a quarter, and the rest is burned.
    event Convicted(
        uint64 indexed task,
        uint64 indexed round,
        address prover,
        uint8 claim,
        address indexed accuser,
        uint256 slashed,
        uint256 paid
    );
    /// @notice The DAO took a prover into the set, for rounds that open from now on, or out of it.
    event ProverSet(address indexed prover, bool allowed);

    /// @notice The caller has not announced this proof in an earlier block.
    error NotAnnounced(bytes32 digest);
    /// @notice The prover was not in the set when the round opened.
    error NotProver(address prover, uint64 task, uint64 round);
    /// @notice The result is not the one that was posted.
    error WrongResult(uint64 task, uint64 round);
    /// @notice The statement is not the one whose hash the result states.
    error WrongStatement(uint64 task, uint64 round);

    /// @notice Announces a proof. Announced again, it counts from the first time. Anyone may call.
    /// @param digest keccak256(abi.encode(accuser, keccak256(abi.encode(prover, claim, task, round, proof)))): it shows
    /// nothing of the proof, and is good for this accuser alone
    function announce(bytes32 digest) external;
    /// @notice Proves a result wrong: the round is void, as are those built on it. Its Superlink loses the bond that the
    /// round's rules ask for, or what is left of its stake: a tenth of that goes to the caller, at most the bond of a
    /// challenge, a quarter into the task's escrow, for those who play the round again, and the rest is burned. Anyone
    /// may call who announced the proof in an earlier block.
    /// @param prover a prover that was in the set when the round opened; it reverts with its own errors (`IProver`) where
    /// the proof does not hold
    /// @param claim number of the claim within the prover's family
    /// @param task the task
    /// @param round the round, which must be posted or frozen
    /// @param result the result that was posted; where the prover itself calls, neither this nor the statement is compared
    /// @param statement the statement whose hash the result states
    /// @param proof the values and openings that the claim asks for
    function convict(
        address prover,
        uint8 claim,
        uint64 task,
        uint64 round,
        IRounds.Result calldata result,
        IStatements.Statement calldata statement,
        bytes calldata proof
    ) external;
    /// @notice Takes a prover into the set or out of it. Rounds that have opened keep the set that they opened with. Only the
    /// DAO may call.
    /// @param prover the prover
    /// @param allowed whether it is in the set from this second on
    function setProver(address prover, bool allowed) external;

    /// @notice Returns in which block a proof was announced.
    /// @param digest as for `announce`
    /// @return the block; 0: never
    function announcedIn(bytes32 digest) external view returns (uint256);
    /// @notice Returns whether a prover was in the set at the end of a second: of a round's `openedAt`, whether it is one of
    /// the round's.
    /// @param prover the prover
    /// @param time block time in seconds
    /// @return whether it was
    function isProver(address prover, uint256 time) external view returns (bool);
}
