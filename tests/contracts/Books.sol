// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Accusing } from "./Accusing.sol";

/// @dev The account that a handler of invariant tests keeps of each task, independently of the contracts.
abstract contract Books is Accusing {
    /// @dev A posted result, and the sum that each owner is paid under its root.
    struct Posted {
        IRounds.Result result;
        uint256[4] amounts;
    }

    struct Book {
        uint256 funded; // net of refunds
        uint256 claimed;
        uint64 active; // round whose root is active
        mapping(uint64 round => Posted) posted;
        uint256 members; // bit of each node
        mapping(uint64 round => uint256) eligible; // bit of each node that was a member when it opened
        mapping(uint64 round => uint256) inTree; // bit of each node whose commit is under the root
        mapping(uint64 round => uint256) forced; // bit of each node
        mapping(uint64 round => bytes32) forcedHash;
        mapping(uint64 round => uint256) since; // when it was posted, frozen or let stand
        mapping(uint64 round => uint256) twofold; // bit of each node that was shown to have committed twice
        mapping(uint64 round => uint256) finalizations;
        ITasks.TaskRules next; // rules of the next round
        mapping(uint64 round => ITasks.TaskRules) rules; // those that it opened with
    }

    /// @dev The outcomes of the handler's calls. Each is counted, so that a test can require that sequences reach all.
    enum Path {
        Opened,
        OpenedBesideOtherRules,
        Closed,
        ClosedWithPasses,
        ClosedEarly,
        ClosedEarlyWithPasses,
        ClosedWithoutOneWhoLeft,
        Forced,
        ForcedHavingLeft,
        Posted,
        Challenged,
        LetStand,
        Overruled,
        VoidedUndecided,
        VoidedWithParent,
        VoidedForItsSum,
        Announced,
        ConvictedPosted,
        ConvictedFrozen,
        ConvictedBuiltOn,
        ConvictedWithTooLittleStake,
        ConcededPosted,
        ConcededFrozen,
        Demanded,
        DemandedAllThatAMemberMay,
        Answered,
        ExpiredUnanswered,
        ExpiredWithItsRound,
        GradientsAccused,
        VoteCommitted,
        VoteRevealed,
        JudgedWrong,
        JudgedWrongTooLate,
        JudgedRight,
        JudgedUndecided,
        JudgedLapsed,
        FinedForTheMinority,
        FinedForAbsence,
        ProverVotedIn,
        ProverVotedOut,
        SuperlinkUnbonded,
        NodeConvicted,
        Finalized,
        AbortedOpen,
        AbortedClosed,
        AbortedWithParent,
        Claimed,
        ClaimedByAnOlderRoot,
        RulesChanged,
        SuperlinkSet,
        Funded,
        TaskClosed,
        Expelled,
        Joined,
        JoinedWhileOpen,
        CameBackWhileOpen,
        Left,
        Dismissed,
        LeftWhileOpen,
        Expired,
        Staked,
        Registered,
        Unbonded,
        Withdrawn,
        Slashed,
        Delegated,
        Paused,
        Unpaused
    }

    /// @dev A vote on the prover.
    struct Ballot {
        uint256 time;
        bool allowed;
    }

    mapping(Path => uint256) internal reached;
    Ballot[] internal ballots;
    bool internal broken;
    uint64[2] internal tasks;
    mapping(uint64 task => Book) internal books;

    /// @dev Records a condition that must hold after a call: a revert instead would pass for a refused call.
    function holds(bool condition) internal {
        if (!condition) broken = true;
    }

    function reach(Path path) internal {
        ++reached[path];
    }

    /// @dev Whether the prover was in the set at the end of a second; it is from the start.
    function wasInTheSet(uint256 time) internal view returns (bool allowed) {
        allowed = true;
        for (uint256 i = 0; i < ballots.length && ballots[i].time <= time; ++i) allowed = ballots[i].allowed;
    }

    function book() internal view returns (Book storage) {
        return books[task];
    }
}
