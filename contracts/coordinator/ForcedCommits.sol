// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import { IForcedCommits } from "../interfaces/IForcedCommits.sol";
import { Deadlines } from "./Deadlines.sol";
import { Members } from "./Members.sol";
import { RoundState } from "./State.sol";

/// @title The part of the TrainingCoordinator that takes commits by way of the chain
abstract contract ForcedCommits is Members, EIP712 {
    using Deadlines for RoundState;

    /// @dev The forced commits of a round.
    struct Forced {
        bytes32 hash; // chain over them
        uint32 count;
        mapping(address node => bytes32) commitmentOf;
    }

    bytes32 private constant COMMIT_TYPEHASH = keccak256(
        "Commit(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)"
    );

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
        RoundState storage r = _inPhase(task, round, Phase.Open);
        Deadlines.requireBefore(r.commitEnd(_rules[task][r.version]));
        _requireEligible(task, node, round);
        Forced storage forced = _forced[task][round];
        if (forced.commitmentOf[node] != 0) revert AlreadyCommitted(task, round, node);
        bytes32 opening = _openingOf(task, r);
        bytes32 digest = keccak256(abi.encode(COMMIT_TYPEHASH, task, round, opening, node, commitment));
        // slither-disable-next-line unused-return (a signature that recovers nobody fails the comparison)
        (address recovered, , ) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(digest), signature);
        if (commitment == 0 || recovered != node) revert BadSignature(recovered, node);

        r.forced = true;
        forced.commitmentOf[node] = commitment;
        forced.hash = keccak256(abi.encode(forced.hash, node, commitment));
        ++forced.count;
        emit ForcedCommit(task, round, node, commitment, signature);
    }

    /// @inheritdoc IForcedCommits
    function forcedHashOf(uint64 task, uint64 round) external view returns (bytes32) {
        return _forced[task][round].hash;
    }

    /// @inheritdoc IForcedCommits
    function forcedCountOf(uint64 task, uint64 round) external view returns (uint256) {
        return _forced[task][round].count;
    }

    /// @dev Returns the number of forced commits of a round, of which the caller must know the hash. A round without any says
    /// so in its own slot, so that a normal one reads no more slots.
    function _countForced(
        uint64 task,
        uint64 round,
        RoundState storage r,
        bytes32 stated
    ) internal view returns (uint256 count) {
        bytes32 hash = 0;
        if (r.forced) (hash, count) = (_forced[task][round].hash, _forced[task][round].count);
        if (stated != hash) revert ForcedCommitIgnored(stated, hash);
    }
}
