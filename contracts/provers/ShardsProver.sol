// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Hashes } from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

import { IProver } from "../interfaces/IProver.sol";
import { IRounds } from "../interfaces/IRounds.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Trees } from "../Trees.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Parent, Parents } from "./Parents.sol";
import { Prover } from "./Prover.sol";
import { Shards, ShardSet } from "./Shards.sol";

/// @title Shows that a result's shards are not those that the seeds drew: docs/disputes.md, "ShardsProver"
contract ShardsProver is Prover {
    /// @notice The round's shard is not the one that its seed draws from those never drawn before, or not under the task's
    /// validation root, or those used are not the ones drawn so far.
    uint8 public constant DRAW = 0;

    uint256 private constant BITMAP = 8192; // bytes
    uint256 private constant SHARDS_DEPTH = 16;
    uint256 private constant LIST = BITMAP + 4 + 32 + 32 * SHARDS_DEPTH;
    uint256 private constant RESULT = 352; // bytes as abi.encode has it
    // slither-disable-next-line unused-state (a slice begins there)
    uint256 private constant SEED = 32; // its place there

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        if (claim != DRAW) revert BadShape();
        Cursor memory cursor = Cursors.over(proof);
        Parent memory parent = Parents.take(cursor, coordinator, accused);
        ShardSet memory used = Shards.none();
        if (parent.round != 0) used = Shards.read(_takeList(cursor, LIST, parent.usedShards)[:BITMAP]);
        for (uint64 round = parent.round + 1; round < accused.round; ++round)
            _drawLost(cursor, used, accused.task, round);

        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        (uint256 drawn, bool any) = Shards.draw(used, accused.result.seed, rules.shards);
        bytes calldata list = _takeList(cursor, cursor.left(), accused.statement.usedShards);
        bool right = any && list.length == LIST && Shards.isSame(used, list[:BITMAP]);
        if (right && _isShard(list[BITMAP:], drawn, rules.validationRoot)) revert NotGuilty();
    }

    /// @dev Reads what a round between the accused one and its parent drew by, if it drew: of one that has a result this, and of
    /// one that was aborted what it was closed with.
    function _drawLost(Cursor memory cursor, ShardSet memory used, uint64 task, uint64 round) private view {
        // slither-disable-next-line calls-loop (of a contract of ours that reads alone; a proof has a round each)
        IRounds.Round memory lost = coordinator.roundOf(task, round);
        // slither-disable-next-line incorrect-equality (of a time that has not come)
        if (lost.closedAt == 0) return;
        bytes32 seed;
        // slither-disable-next-line incorrect-equality
        if (lost.postedAt == 0) {
            bytes32 root = bytes32(cursor.takeNumber(32));
            seed = bytes32(cursor.takeNumber(32));
            if (Hashes.efficientKeccak256(root, seed) != lost.closing) revert BadProof();
        } else {
            bytes calldata result = cursor.takeBytes(RESULT);
            if (keccak256(result) != lost.resultHash) revert BadProof();
            seed = bytes32(result[SEED:]);
        }
        // slither-disable-next-line unused-return,calls-loop (one that found none left drew none)
        Shards.draw(used, seed, coordinator.rulesOfRound(task, round).shards);
    }

    /// @dev Reads a list of shards, which must have this hash.
    function _takeList(
        Cursor memory cursor,
        uint256 length,
        bytes32 hash
    ) private pure returns (bytes calldata list) {
        list = cursor.takeBytes(length);
        if (sha256(list) != hash) revert BadProof();
    }

    /// @dev Returns whether a shard is the drawn one: its index, the digest of its content, and siblings.
    function _isShard(bytes calldata shard, uint256 drawn, bytes32 root) private view returns (bool) {
        if (uint32(bytes4(shard)) != drawn) return false;
        Cursor memory cursor = Cursors.over(shard[4:]);
        bytes32 hash = Trees.leafHash(cursor.takeBytes(32));
        return cursor.takeRoot(hash, drawn, SHARDS_DEPTH) == root;
    }
}
