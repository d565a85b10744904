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

    /// @notice Returns from when on commits may be closed though some Supernodes are not heard.
    /// @param r the round
    /// @param rules its rules
    /// @param commits how many have committed
    /// @return the start of the window
    function closeFrom(
        RoundState storage r,
        ITasks.TaskRules storage rules,
        uint256 commits
    ) internal view returns (uint256) {
        bool enough = commits * 100 >= uint256(r.eligible) * rules.closeShare;
        return enough ? uint256(r.openedAt) + rules.closeAfter : commitEnd(r, rules);
    }

    /// @notice Returns when a result may count commits as not revealed.
    /// @param r the round
    /// @param rules its rules
    /// @return the end of the window
    function revealEnd(RoundState storage r, ITasks.TaskRules storage rules) internal view returns (uint256) {
        return uint256(r.closedAt) + rules.revealPeriod;
    }

    /// @notice Returns the last second in which the result may be posted.
    /// @param reveals the round's `revealEnd`
    /// @param rules its rules
    /// @return the last second of the window
    function resultEnd(uint256 reveals, ITasks.TaskRules storage rules) internal view returns (uint256) {
        return reveals + rules.resultPeriod;
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
