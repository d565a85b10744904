// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import { IChallenges } from "../interfaces/IChallenges.sol";
import { IMembers } from "../interfaces/IMembers.sol";
import { Deadlines } from "./Deadlines.sol";
import { Rounds } from "./Rounds.sol";
import { RoundState } from "./State.sol";

/// @title The part of the TrainingCoordinator that freezes and voids results, and keeps the bonds of challenges
abstract contract Challenges is Rounds {
    using Deadlines for RoundState;
    using SafeERC20 for IERC20;

    /// @notice The token that bonds are paid in.
    IERC20 public immutable token;

    /// @inheritdoc IChallenges
    address public disputes;

    mapping(uint64 task => mapping(uint64 round => address)) private _challengers;

    constructor(IERC20 token_) {
        token = token_;
    }

    /// @inheritdoc IChallenges
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

    /// @inheritdoc IChallenges
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

    /// @inheritdoc IChallenges
    function voidRound(uint64 task, uint64 round) external {
        RoundState storage r = _standing(task, round);
        if (_rounds[task][r.parent].phase != Phase.Void) {
            if (r.phase != Phase.Frozen) revert WrongPhase(task, round, Phase.Posted);
            Deadlines.requireFrom(r.resolveEnd(_rules[task][r.version]));
        }

        _voidUndecided(task, round, r);
    }

    /// @inheritdoc IChallenges
    function concede(uint64 task, uint64 round) external {
        RoundState storage r = _standing(task, round);
        _requireSuperlink(_rules[task][r.version]);

        emit Conceded(task, round);
        _voidUndecided(task, round, r);
    }

    /// @inheritdoc IChallenges
    function strike(uint64 task, uint64 round) external {
        if (msg.sender != disputes) revert NotDisputes(msg.sender);

        _voidUndecided(task, round, _standing(task, round));
    }

    /// @inheritdoc IMembers
    function dismiss(uint64 task, address operator) external {
        if (msg.sender != disputes) revert NotDisputes(msg.sender);

        _remove(task, operator, _ownerOf(task, operator));
    }

    /// @inheritdoc IChallenges
    function setDisputes(address disputes_) external onlyOwner {
        // slither-disable-next-line missing-zero-check (zero: no contract may strike)
        disputes = disputes_;
        emit DisputesSet(disputes_);
    }

    /// @dev Voids a result that the DAO has not decided on; a challenger gets the bond back.
    function _voidUndecided(uint64 task, uint64 round, RoundState storage r) private {
        bool frozen = r.phase == Phase.Frozen;
        _void(task, round, r);
        if (frozen) token.safeTransfer(_challengers[task][round], _rules[task][r.version].challengeBond);
    }
}
