// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IDemands } from "../interfaces/IDemands.sol";
import { IRounds } from "../interfaces/IRounds.sol";

/// @title The moves of a dispute, which fit into the window for challenges: none holds a round up
library Windows {
    /// @dev A move has an eighth of the window, so that moves may follow each other.
    uint256 private constant MOVES = 8;
    uint256 private constant LONGEST_MOVE = 6 hours;
    uint256 private constant SHORTEST_MOVE = 1 minutes;

    /// @notice Returns for how long each move of a dispute may be made that begins now. Of a posted result, so many moves must
    /// be left of the window: if the DAO lets a frozen one stand, it has a whole window again.
    /// @param r the round, which must be posted or frozen
    /// @param task its task
    /// @param round its number
    /// @param challengePeriod of its rules
    /// @param moves how many moves the dispute takes, with what follows it
    /// @return time seconds of block time
    function requireTime(
        IRounds.Round memory r,
        uint64 task,
        uint64 round,
        uint256 challengePeriod,
        uint256 moves
    ) internal view returns (uint256 time) {
        bool posted = r.phase == IRounds.Phase.Posted;
        if (!posted && r.phase != IRounds.Phase.Frozen) revert IRounds.WrongPhase(task, round, r.phase);
        time = Math.min(challengePeriod / MOVES, LONGEST_MOVE);
        if (time < SHORTEST_MOVE) revert IDemands.WindowTooShort(task, challengePeriod);
        uint256 last = r.postedAt + challengePeriod - moves * time;
        if (posted && block.timestamp > last) revert IRounds.TooLate(last);
    }
}
