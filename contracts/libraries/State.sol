// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";

/// @dev State of a task: one slot, which every step of a round but the reveal reads. The three rules are copies of those
/// in force for the next round, so that a normal round reads fewer slots.
struct TaskState {
    uint24 active; // joined Supernodes
    uint32 lastRound;
    uint32 head; // last round with a standing result, 0: none
    uint32 finalized; // last finalized round, 0: none
    uint16 inFlight; // rounds whose budget is reserved
    uint16 version; // of the rules that the next round opens with, from 1
    uint24 quorum;
    uint32 forcePeriod;
    uint32 challengePeriod;
    bool closed;
    bool mixed; // rounds in flight may have opened with an earlier version
}

/// @dev State of a round: one slot and a digest. Fields as in ITrainingCoordinator.Round.
struct RoundState {
    uint48 openBlock;
    uint32 openedAt;
    uint32 closedAt;
    uint32 postedAt;
    uint32 parent;
    uint24 eligible;
    uint24 commits;
    uint16 version; // of the rules that it opened with
    ITrainingCoordinator.Phase phase;
    bool forced; // there are forced commits: see Forced
    bytes32 digest; // closing while Closed, then resultHash
}

/// @dev Forced commits of a round: before the result they are counted and chained, after it they contest it.
struct Forced {
    bytes32 hash; // chain over those before the result
    uint32 count; // those before the result
    uint32 contested; // those after it that nobody has dismissed
    uint48 contestedAt; // time of the last one after it
    mapping(address node => bytes32) commitmentOf;
    mapping(address node => bool) contests;
}
