// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import { IForcedCommits } from "../interfaces/IForcedCommits.sol";
import { BodyTree } from "../libraries/BodyTree.sol";
import { Deadlines } from "./Deadlines.sol";
import { Members } from "./Members.sol";
import { RoundState } from "./State.sol";

/// @title The part of the TrainingCoordinator that keeps commits by way of the chain
abstract contract ForcedCommits is Members, EIP712 {
    using Deadlines for RoundState;

    /// @dev Forced commits of a round: before the result they are counted and chained, after it they contest it.
    struct Forced {
        bytes32 hash; // chain over those before the result
        uint32 count; // those before the result
        uint32 contested; // those after it that nobody has dismissed
        uint48 contestedAt; // time of the last one after it
        mapping(address node => bytes32) commitmentOf;
        mapping(address node => bool) contests;
    }

    bytes32 private constant COMMIT_TYPEHASH = keccak256(
        "Commit(uint64 task,uint64 round,address node,bytes32 commitment)"
    );
    uint256 private constant COMMITS_DEPTH = 20;
    uint256 internal constant NEVER = type(uint256).max;

    mapping(uint64 task => mapping(uint64 round => Forced)) private _forced;

    constructor() EIP712("Commonweight", "1") {}

    /// @inheritdoc IForcedCommits
    function commit(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        bytes calldata signature
    ) external {
        RoundState storage r = _rounds[task][round];
        Phase phase = r.phase;
        TaskRules storage rules = _rules[task][r.version];
        if (phase == Phase.Open) Deadlines.requireBefore(r.commitEnd(rules));
        else if (phase == Phase.Closed || phase == Phase.Posted || phase == Phase.Frozen) {
            Deadlines.requireBefore(r.forceEnd(rules));
        } else revert WrongPhase(task, round, phase);
        _requireEligible(task, node, r, rules);
        Forced storage forced = _forced[task][round];
        if (forced.commitmentOf[node] != 0) revert AlreadyCommitted(task, round, node);
        _requireSigned(task, round, node, commitment, signature);

        r.forced = true;
        forced.commitmentOf[node] = commitment;
        emit ForcedCommit(task, round, node, commitment, signature);
        if (phase == Phase.Open || phase == Phase.Closed) {
            forced.hash = keccak256(abi.encode(forced.hash, node, commitment));
            ++forced.count;
        } else {
            forced.contests[node] = true;
            ++forced.contested;
            forced.contestedAt = uint48(block.timestamp);
            emit Contested(task, round, node);
        }
    }

    /// @inheritdoc IForcedCommits
    function dismiss(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        uint256 index,
        bytes32[] calldata proof,
        Result calldata result
    ) external {
        RoundState storage r = _standing(task, round);
        if (keccak256(abi.encode(result)) != r.digest) revert BadResult("hash");
        Forced storage forced = _forced[task][round];
        if (!forced.contests[node] || forced.commitmentOf[node] != commitment) {
            revert NotContested(task, round, node);
        }
        Deadlines.requireBefore(_contestEnd(forced, _rules[task][r.version]));
        bytes32 leaf = sha256(abi.encodePacked(node, commitment));
        if (!BodyTree.verify(result.commitsRoot, leaf, index, proof, COMMITS_DEPTH)) revert BadProof();

        forced.contests[node] = false;
        --forced.contested;
        emit Dismissed(task, round, node);
    }

    /// @inheritdoc IForcedCommits
    function forcedHashOf(uint64 task, uint64 round) external view returns (bytes32) {
        return _forced[task][round].hash;
    }

    /// @inheritdoc IForcedCommits
    function forcedCountOf(uint64 task, uint64 round) external view returns (uint256) {
        return _forced[task][round].count;
    }

    /// @inheritdoc IForcedCommits
    function contestedCountOf(uint64 task, uint64 round) external view returns (uint256) {
        return _forced[task][round].contested;
    }

    /// @dev Returns the hash chain over the forced commits before the result, and their number. A round without any says
    /// so in its own slot, so that a normal one reads no more slots.
    function _forcedBefore(
        uint64 task,
        uint64 round,
        RoundState storage r
    ) internal view returns (bytes32 hash, uint256 count) {
        if (r.forced) (hash, count) = (_forced[task][round].hash, _forced[task][round].count);
    }

    /// @dev Reverts when a forced commit contests the result.
    function _requireUncontested(uint64 task, uint64 round) internal view {
        uint256 contested = _forced[task][round].contested;
        if (contested != 0) revert StillContested(task, round, contested);
    }

    /// @dev Returns when the contests of the result, if it has any, can no longer be dismissed.
    function _contestEnd(uint64 task, uint64 round, TaskRules storage rules) internal view returns (uint256) {
        Forced storage forced = _forced[task][round];
        return forced.contested == 0 ? NEVER : _contestEnd(forced, rules);
    }

    function _contestEnd(Forced storage forced, TaskRules storage rules) private view returns (uint256) {
        return uint256(forced.contestedAt) + rules.challengePeriod;
    }

    function _requireSigned(
        uint64 task,
        uint64 round,
        address node,
        bytes32 commitment,
        bytes calldata signature
    ) private view {
        bytes32 digest = keccak256(abi.encode(COMMIT_TYPEHASH, task, round, node, commitment));
        // slither-disable-next-line unused-return (a signature that recovers nobody fails the comparison)
        (address recovered, , ) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(digest), signature);
        if (commitment == 0 || recovered != node) revert BadSignature(recovered, node);
    }
}
