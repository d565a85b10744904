// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import { IDisputes } from "../interfaces/IDisputes.sol";
import { Deadlines } from "./Deadlines.sol";
import { Rounds } from "./Rounds.sol";
import { RoundState } from "./State.sol";

/// @title The part of the TrainingCoordinator that freezes and voids results, and keeps the bonds of challenges
abstract contract Disputes is Rounds {
    using Deadlines for RoundState;
    using SafeERC20 for IERC20;

    /// @notice The token that bonds are paid in.
    IERC20 public immutable token;

    mapping(uint64 task => mapping(uint64 round => address)) private _challengers;

    constructor(IERC20 token_) {
        token = token_;
    }

    /// @inheritdoc IDisputes
    function challenge(uint64 task, uint64 round, string calldata reason) external {
        RoundState storage r = _inPhase(task, round, Phase.Posted);
        TaskRules storage rules = _rules[task][r.version];
        Deadlines.requireBefore(r.challengeEnd(rules));

        r.phase = Phase.Frozen;
        r.postedAt = uint32(block.timestamp);
        _challengers[task][round] = msg.sender;
        emit Challenged(task, round, msg.sender, reason);
        token.safeTransferFrom(msg.sender, address(this), rules.challengeBond);
    }

    /// @inheritdoc IDisputes
    function resolve(uint64 task, uint64 round, bool valid) external onlyOwner {
        RoundState storage r = _inPhase(task, round, Phase.Frozen);
        TaskRules storage rules = _rules[task][r.version];
        Deadlines.requireBefore(r.resolveEnd(rules));

        emit Resolved(task, round, valid);
        if (valid) {
            r.phase = Phase.Posted;
            r.postedAt = uint32(block.timestamp);
            token.safeTransfer(owner(), rules.challengeBond);
        } else {
            _void(task, round, r);
            token.safeTransfer(_challengers[task][round], rules.challengeBond);
        }
    }

    /// @inheritdoc IDisputes
    function voidRound(uint64 task, uint64 round) external {
        RoundState storage r = _standing(task, round);
        TaskRules storage rules = _rules[task][r.version];
        bool frozen = r.phase == Phase.Frozen;
        if (_rounds[task][r.parent].phase != Phase.Void) {
            if (!frozen) revert WrongPhase(task, round, Phase.Posted);
            Deadlines.requireFrom(r.resolveEnd(rules));
        }

        _void(task, round, r);
        if (frozen) token.safeTransfer(_challengers[task][round], rules.challengeBond);
    }
}
