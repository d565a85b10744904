// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "../interfaces/IRounds.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { RoundState } from "./State.sol";

/// @title The deadlines of a round
/// @notice Block times in seconds, by the rules that the round opened with. A window includes its first second and not
/// its last, but a result may still be posted in the last second of its own.
library Deadlines {
    /// @notice Reverts with `TooEarly` before `time`.
    /// @param time start of a window
    function requireFrom(uint256 time) internal view {
        if (block.timestamp < time) revert IRounds.TooEarly(time);
    }

    /// @notice Reverts with `TooLate` from `time` on.
    /// @param time end of a window
    function requireBefore(uint256 time) internal view {
        if (block.timestamp >= time) revert IRounds.TooLate(time);
    }

    /// @notice Returns when nodes may no longer commit to an open round.
    /// @param r the round
    /// @param rules its rules
    /// @return the end of the window
    function commitEnd(RoundState storage r, ITasks.TaskRules storage rules) internal view returns (uint256) {
        return uint256(r.openedAt) + rules.commitPeriod;
    }

    /// @notice Returns when the chain accepts no more forced commits of a closed round.
    /// @param r the round
    /// @param rules its rules
    /// @return the end of the window
    function forceEnd(RoundState storage r, ITasks.TaskRules storage rules) internal view returns (uint256) {
        return uint256(r.closedAt) + rules.forcePeriod;
    }

    /// @notice Returns the deadlines of a closed round.
    /// @param r the round
    /// @param rules its rules
    /// @return revealEnd from when on a result may count commits as not revealed
    /// @return resultEnd the last second in which the result may be posted
    function resultEnds(
        RoundState storage r,
        ITasks.TaskRules storage rules
    ) internal view returns (uint256 revealEnd, uint256 resultEnd) {
        revealEnd = uint256(r.closedAt) + rules.revealPeriod;
        resultEnd = revealEnd + rules.resultPeriod;
    }

    /// @notice Returns when a posted result can no longer be challenged.
    /// @param r the round
    /// @param rules its rules
    /// @return the end of the window
    function challengeEnd(
        RoundState storage r,
        ITasks.TaskRules storage rules
    ) internal view returns (uint256) {
        return uint256(r.postedAt) + rules.challengePeriod;
    }

    /// @notice Returns when the DAO can no longer decide on a frozen result.
    /// @param r the round
    /// @param rules its rules
    /// @return the end of the window
    function resolveEnd(
        RoundState storage r,
        ITasks.TaskRules storage rules
    ) internal view returns (uint256) {
        return uint256(r.postedAt) + rules.resolvePeriod;
    }
}
