// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "../interfaces/IRounds.sol";

/// @dev A task: one slot, which every call of a round reads. The three rules are copies of those that the next round
/// opens with, so that a normal round reads fewer slots. The other fields are as in ITasks.Task.
struct TaskState {
    uint24 active;
    uint32 lastRound;
    uint32 head;
    uint32 finalized; // last finalized round, 0: none
    uint16 inFlight;
    uint16 maxInFlight;
    uint16 version; // of the rules that the next round opens with, from 1
    uint24 quorum;
    uint32 challengePeriod;
    bool closed;
    bool mixed; // rounds in flight may have opened with an earlier version
}

/// @dev A round: one slot and a digest. The fields are as in IRounds.Round.
struct RoundState {
    uint48 openBlock;
    uint32 openedAt;
    uint32 closedAt;
    uint32 postedAt;
    uint32 parent;
    uint24 eligible;
    uint24 commits;
    uint16 version; // of the rules that it opened with
    IRounds.Phase phase;
    bool forced; // the round has forced commits: see ForcedCommits
    bytes32 digest; // closing while Closed, then resultHash
}
