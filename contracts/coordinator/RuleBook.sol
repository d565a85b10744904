// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ISupernodeRegistry } from "../interfaces/ISupernodeRegistry.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { Trees } from "../Trees.sol";

/// @title The rules for rules: what a task's rules may be, and how they may change
/// @notice A stateless part of the TrainingCoordinator, which creates it, at an address of its own: so the coordinator
/// keeps room below the limit on a contract's size. Each function reverts with `BadRules`, naming the rule at fault.
contract RuleBook {
    uint256 private constant MAX_COMMITS = 1 << 20; // leaves of the tree of commits
    uint256 private constant SHARDS_DEPTH = 16;
    uint256 private constant MAX_SHARDS = 1 << SHARDS_DEPTH;
    uint256 private constant MAX_DEPTH = 24;
    uint256 private constant TOPK = 2;
    uint256 private constant LAST_CODEC = 2;
    uint256 private constant ALL = 100; // per cent
    uint256 private constant MAX_IN_FLIGHT = 1024;

    ISupernodeRegistry private immutable _registry;

    /// @param registry stakes of Supernodes and Superlinks
    constructor(ISupernodeRegistry registry) {
        _registry = registry;
    }

    /// @notice Checks that a task may have these rules.
    /// @param r the rules
    function check(ITasks.TaskRules calldata r) public view {
        _rule(r.superlink != address(0), "superlink");
        _rule(r.commitPeriod != 0, "commitPeriod");
        _rule(r.revealPeriod != 0, "revealPeriod");
        _rule(r.resultPeriod != 0, "resultPeriod");
        _rule(r.challengePeriod != 0, "challengePeriod");
        _rule(r.resolvePeriod != 0, "resolvePeriod");
        // the stake behind a fault can still be slashed when the round is decided: stake may begin to leave as the
        // round opens, and commits may close until somebody aborts, which anyone may from then on
        uint256 untilClosed = uint256(r.commitPeriod) + r.resultPeriod;
        uint256 untilResult = uint256(r.revealPeriod) + r.resultPeriod;
        uint256 untilDecided = untilClosed + untilResult + r.challengePeriod + r.resolvePeriod;
        _rule(_registry.unbondingPeriod() > untilDecided, "unbondingPeriod");
        _rule(r.quorum != 0 && r.quorum <= MAX_COMMITS, "quorum");
        _rule(r.shards != 0 && r.shards <= MAX_SHARDS, "shards");
        _rule(r.bodyDepth != 0 && r.bodyDepth <= MAX_DEPTH, "bodyDepth");
        _rule(r.codec <= LAST_CODEC, "codec");
        // no sooner than a node that the Superlink does not hear can commit on chain
        _rule(r.closeAfter != 0 && r.closeAfter <= r.commitPeriod, "closeAfter");
        _rule(r.closeShare != 0 && r.closeShare <= ALL, "closeShare");
        _rule(r.maxInFlight != 0 && r.maxInFlight <= MAX_IN_FLIGHT, "maxInFlight");
        _rule(r.minStake != 0 && r.minStake >= _registry.minimumStake(), "minStake");
        _rule(r.maxStake >= r.minStake, "maxStake");
        _rule(r.roundBudget != 0, "roundBudget");
        // without a bond, anyone could freeze every result for nothing
        _rule(r.challengeBond != 0, "challengeBond");
        _rule(r.appHash != 0, "appHash");
        _rule(r.baseModel != 0, "baseModel");
        _rule(r.chunks != 0 && r.chunks <= 1 << r.bodyDepth, "chunks");
        // carried values follow a median, which is nothing where most updates leave a value out
        bool isScored = r.scoredChunks == r.chunks || r.codec != TOPK;
        _rule(r.scoredChunks != 0 && r.scoredChunks <= r.chunks && isScored, "scoredChunks");
        _rule(r.baseModelRoot != 0, "baseModelRoot");
        _rule(r.validationRoot != 0, "validationRoot");
        _rule(r.card != 0, "card");
    }

    /// @notice Checks that a task's rules may change so: the rules that models, updates and proofs are made by stay,
    /// and so does the rule of who may join. The Superlink changes by a call of its own, so that a decision on other
    /// rules cannot bring back a Superlink that was replaced.
    /// @param from the task's rules
    /// @param to the rules that replace them
    function checkChange(ITasks.TaskRules calldata from, ITasks.TaskRules calldata to) external view {
        _rule(to.superlink == from.superlink, "superlink");
        _rule(to.shards == from.shards, "shards");
        _rule(to.bodyDepth == from.bodyDepth, "bodyDepth");
        _rule(to.codec == from.codec, "codec");
        _rule(to.admittedOnly == from.admittedOnly, "admittedOnly");
        _rule(to.appHash == from.appHash, "appHash");
        _rule(to.baseModel == from.baseModel, "baseModel");
        _rule(to.validationRoot == from.validationRoot, "validationRoot");
        _rule(to.chunks == from.chunks, "chunks");
        _rule(to.scoredChunks == from.scoredChunks, "scoredChunks");
        _rule(to.baseModelRoot == from.baseModelRoot, "baseModelRoot");
        check(to);
    }

    /// @notice Checks that a task's validation shards may be appended to, and returns the root over old and new ones. The place
    /// behind the last shard is empty in the old tree, and so are all after it: with the siblings on its left, which both
    /// trees share, it leads to the old root, and the first new shard leads from there to the new one.
    /// @param from the task's rules
    /// @param shards how many shards there are then, with the old ones
    /// @param first hash of the first new leaf: sha256 of its shard's content digest
    /// @param path its siblings in the new tree, from the bottom up
    /// @return root of the new tree
    function append(
        ITasks.TaskRules calldata from,
        uint32 shards,
        bytes32 first,
        bytes32[] calldata path
    ) external view returns (bytes32 root) {
        _rule(shards > from.shards && shards <= MAX_SHARDS, "shards");
        _rule(first != 0 && path.length == SHARDS_DEPTH, "validationRoot");
        root = Trees.climb(first, from.shards, path);
        (bytes32 old, bytes32 absent) = (0, 0);
        for (uint256 level = 0; level < SHARDS_DEPTH; ++level) {
            bool left = (from.shards >> level) & 1 == 1;
            old = left ? Trees.join(path[level], old) : Trees.join(old, absent);
            absent = Trees.join(absent, absent);
        }
        _rule(old == from.validationRoot, "validationRoot");
    }

    function _rule(bool holds, string memory what) private pure {
        if (!holds) revert ITasks.BadRules(what);
    }
}
