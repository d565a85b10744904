// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Challenges of results
/// @notice Anyone freezes a result for a bond, and the DAO decides. A result that nobody decides on in time is void, and so is
/// one that its Superlink takes back, or that the disputes contract has seen proved wrong (`IDisputes`).
interface IChallenges {
    /// @notice A challenger put up a bond and froze the result.
    event Challenged(uint64 indexed task, uint64 indexed round, address indexed challenger, string reason);
    /// @notice The DAO decided on a frozen result.
    event Resolved(uint64 indexed task, uint64 indexed round, bool valid);
    /// @notice The Superlink took its result back.
    event Conceded(uint64 indexed task, uint64 indexed round);
    /// @notice The DAO appointed the contract that may strike.
    event DisputesSet(address indexed disputes);

    /// @notice The caller is not the disputes contract.
    error NotDisputes(address caller);

    /// @notice Freezes a posted result within its challenge window, for a bond that the caller approved. Anyone may
    /// call.
    /// @param task the task
    /// @param round the round, which must be posted
    /// @param reason what is wrong with the result, for people
    function challenge(uint64 task, uint64 round, string calldata reason) external;
    /// @notice Decides on a frozen result within `resolvePeriod`. A valid result is posted again, with a fresh
    /// challenge window, and the bond goes to the DAO; an invalid one is void, and the bond goes back. Only the DAO may
    /// call.
    /// @param task the task
    /// @param round the round, which must be frozen
    /// @param valid whether the result is valid
    function resolve(uint64 task, uint64 round, bool valid) external;
    /// @notice Voids a posted or frozen round whose parent is void, or a frozen one which the DAO left unresolved; a
    /// challenger's bond goes back. Anyone may call.
    /// @param task the task
    /// @param round the round
    function voidRound(uint64 task, uint64 round) external;
    /// @notice Voids a posted or frozen round at once; a challenger's bond goes back. Only the round's Superlink may call,
    /// whose own bond stays whole.
    /// @param task the task
    /// @param round the round
    function concede(uint64 task, uint64 round) external;
    /// @notice Voids a posted or frozen round whose result was proved wrong; a challenger's bond goes back. Only the
    /// disputes contract may call.
    /// @param task the task
    /// @param round the round
    function strike(uint64 task, uint64 round) external;
    /// @notice Appoints the contract that may strike, instead of the one before. Only the DAO may call.
    /// @param disputes_ the contract, or 0: none
    function setDisputes(address disputes_) external;

    /// @notice Returns the contract that may strike.
    /// @return the contract; 0 where there is none
    function disputes() external view returns (address);
}
