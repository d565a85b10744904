// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "./IRounds.sol";
import { IStatements } from "./IStatements.sol";

/// @title Demands of content that nobody can get
/// @notice A proof opens leaves. Whoever cannot get a leaf that a posted or frozen result binds demands it, for a bond in the
/// chain's coin: the Superlink, or anyone who has it, shows it on chain before the deadline and is paid the bond, or the round is
/// void and the Superlink loses its own bond, as by a proof. A demand holds nothing up: it comes so early that deadline and
/// conviction fall into the window for challenges as it is.
interface IDemands {
    /// @notice What a result binds, each with a root or a hash; the last two are lists, which are shown whole.
    enum Tree {
        Commits,
        Rows,
        Inputs,
        Accounts,
        Aggregate,
        Model,
        NewStep,
        Gate,
        Gradient,
        Step,
        GateTotals,
        StepTotals,
        RowGateTotals,
        RowScoreTotals,
        Update,
        Medians,
        UsedShards
    }

    /// @notice A leaf: its index in a tree. Where there is a tree for each row or input, `outer` is the index of that, else 0.
    struct Place {
        Tree tree;
        uint32 outer;
        uint32 index;
    }

    /// @notice A demand: all 0 where there was none.
    struct Demand {
        address demander;
        uint48 deadline; // block time; before it, it may be answered
        bool open;
        bool ofMember; // the demander took part in the round
        uint256 bond; // in the chain's coin
    }

    /// @notice A leaf is demanded, for a bond, until a deadline.
    event Demanded(
        uint64 indexed task,
        uint64 indexed round,
        address indexed demander,
        Place place,
        uint256 bond,
        uint256 deadline
    );
    /// @notice A demand was answered: `content` is as for `answer`.
    event Answered(
        uint64 indexed task,
        uint64 indexed round,
        address indexed answerer,
        Place place,
        bytes content
    );
    /// @notice A demand ended without an answer: it convicted, or the round stood no longer.
    event Expired(
        uint64 indexed task,
        uint64 indexed round,
        address indexed demander,
        Place place,
        bool convicted
    );

    /// @notice There is no such place in the tree.
    error NoSuchPlace(Place place);
    /// @notice The place was demanded before.
    error AlreadyDemanded(Place place);
    /// @notice The place is not demanded, or no longer.
    error NotDemanded(Place place);
    /// @notice So many demands are open: of this member, or of all who took no part in the round.
    error TooManyDemands(uint256 open);
    /// @notice The bond must be this much, in the chain's coin.
    error DemandBondTooSmall(uint256 sent, uint256 needed);
    /// @notice The task's window for challenges is too short for demands.
    error WindowTooShort(uint64 task, uint256 challengePeriod);

    /// @notice Demands a leaf of a posted or frozen result, for a bond that is sent along. A place is demanded once. Anyone may
    /// call: who took part in the round has at most 4 demands open, all others together at most 16.
    /// @param task the task
    /// @param round the round
    /// @param place the leaf
    function demand(uint64 task, uint64 round, Place calldata place) external payable;
    /// @notice Answers a demand before its deadline, and is paid its bond. Anyone may call. An answer that shows nothing reverts
    /// as a prover does (`IProver.BadProof`).
    /// @param task the task
    /// @param round the round, which must be posted or frozen
    /// @param place the leaf
    /// @param result the result that was posted
    /// @param statement the statement whose hash the result states
    /// @param content the leaf, nothing where it is absent, and its siblings, as docs/disputes.md ("Demands") has it
    function answer(
        uint64 task,
        uint64 round,
        Place calldata place,
        IRounds.Result calldata result,
        IStatements.Statement calldata statement,
        bytes calldata content
    ) external;
    /// @notice Ends a demand that nobody answered: from its deadline on the round is void, its Superlink's bond is lost as by a
    /// proof, the demander is paid what an accuser is, and the caller the demand's bond. Where the round stands no longer, the
    /// demand ends at once and its bond goes back. Anyone may call.
    /// @param task the task
    /// @param round the round
    /// @param place the leaf
    function expire(uint64 task, uint64 round, Place calldata place) external;

    /// @notice Returns a demand.
    /// @param task the task
    /// @param round the round
    /// @param place the leaf
    /// @return the demand
    function demandOf(uint64 task, uint64 round, Place calldata place) external view returns (Demand memory);
    /// @notice Returns the bond that a demand needs in this block: twice what an answer costs at its base fee.
    /// @param tree the tree
    /// @return the bond, in the chain's coin
    function demandBond(Tree tree) external view returns (uint256);
}
