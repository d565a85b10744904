// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { IRounds } from "../interfaces/IRounds.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Commits } from "./Commits.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { Prover, ROWS_DEPTH } from "./Prover.sol";
import { Signatures } from "./Signatures.sol";

/// @title Shows a tree of commits that is none, or lacks what it must have: docs/disputes.md, "CommitsProver"
contract CommitsProver is Prover {
    /// @notice Two leaves are not in rising order of node, or a leaf is behind an absent one.
    uint8 public constant ORDER = 0;
    /// @notice There are fewer leaves than commits, more than Supernodes that may commit, or not as many rows as commits.
    uint8 public constant COUNT = 1;
    /// @notice A leaf is neither a commit nor a pass.
    uint8 public constant KIND = 2;
    /// @notice A commit or a pass is not signed by its node, for this opening of the round.
    uint8 public constant SIGNATURE = 3;
    /// @notice A leaf's node took no part in the round.
    uint8 public constant MEMBER = 4;
    /// @notice A leaf's node has a forced commit.
    uint8 public constant FORCED = 5;
    /// @notice The Superlink signed a receipt for a commit that counts neither by the tree nor as a forced one.
    uint8 public constant RECEIPT = 6;
    /// @notice Commits closed before they might without a Supernode, and it was not heard.
    uint8 public constant EARLY = 7;

    uint256 private constant SIGNED = 65;
    uint8 private constant COMMIT_KIND = 0;
    uint8 private constant PASS_KIND = 1;

    bytes32 private constant COMMIT_TYPEHASH = keccak256(
        "Commit(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)"
    );
    bytes32 private constant PASS_TYPEHASH = keccak256(
        "Pass(uint64 task,uint64 round,bytes32 opening,address node)"
    );
    bytes32 private constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)"
    );

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        Cursor memory cursor = Cursors.over(proof);
        bool guilty = _isGuilty(accused, claim, cursor);
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    function _isGuilty(Case calldata accused, uint8 claim, Cursor memory cursor) private view returns (bool) {
        if (claim == ORDER) return _isOutOfOrder(accused, cursor);
        if (claim == COUNT) return _isCountWrong(accused, cursor);
        if (claim == KIND) return _isOfNoKind(accused, cursor);
        if (claim == SIGNATURE) return _isUnsigned(accused, cursor);
        if (claim == MEMBER) return _isStranger(accused, cursor);
        if (claim == FORCED) return _isForced(accused, cursor);
        if (claim == RECEIPT) return _isReceiptBroken(accused, cursor);
        if (claim == EARLY) return _isClosedEarly(accused, cursor);
        revert BadShape();
    }

    function _isOutOfOrder(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        (uint256 first, uint256 second) = (cursor.takeNumber(4), cursor.takeNumber(4));
        if (first >= second) revert BadProof();
        bytes32 root = accused.result.commitsRoot;
        uint256 lower = Commits.takeNode(cursor, root, first);
        uint256 higher = Commits.takeNode(cursor, root, second);
        return lower >= higher && higher != Commits.NOBODY;
    }

    /// @dev How many passes there are the coordinator does not keep, but it took no more leaves than there were Supernodes.
    function _isCountWrong(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        IRounds.Round memory round = coordinator.roundOf(accused.task, accused.round);
        uint256 forced = coordinator.forcedCountOf(accused.task, accused.round);
        // each commit has a row, and a row is of a commit: other claims see to that
        if (cursor.left() == 0) return accused.statement.rows != round.commits + forced;
        uint256 index = cursor.takeNumber(4);
        bytes32 hash = bytes32(cursor.takeNumber(32));
        if (cursor.takeRoot(hash, index, ROWS_DEPTH) != accused.result.commitsRoot) revert BadProof();
        return hash == 0 ? index < round.commits : index + forced >= round.eligible;
    }

    function _isOfNoKind(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        uint256 siblings = 32 * ROWS_DEPTH;
        // a leaf has any length here
        bytes calldata leaf = cursor.takeLeaf(
            cursor.left() < siblings ? 0 : cursor.left() - siblings,
            accused.result.commitsRoot,
            index,
            ROWS_DEPTH
        );
        if (leaf.length != Commits.LEAF) return true;
        return _kind(leaf) > PASS_KIND || (_kind(leaf) == PASS_KIND && _commitment(leaf) != 0);
    }

    /// @dev A leaf of no kind has no signature: that is another claim.
    function _isUnsigned(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        bytes calldata leaf = _takeLeaf(accused, cursor);
        bytes32 message;
        if (_kind(leaf) == COMMIT_KIND)
            message = _hashCommitment(COMMIT_TYPEHASH, accused, _node(leaf), _commitment(leaf));
        else if (_kind(leaf) == PASS_KIND)
            message = keccak256(
                abi.encode(PASS_TYPEHASH, accused.task, accused.round, _opening(accused), _node(leaf))
            );
        else return false;
        return !_isSignedBy(_node(leaf), message, leaf[Commits.LEAF - SIGNED:]);
    }

    function _isStranger(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        return !_wasMember(accused, _node(_takeLeaf(accused, cursor)));
    }

    function _isForced(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        address node = _node(_takeLeaf(accused, cursor));
        return Commits.takeForced(cursor, accused.result.forcedHash, node);
    }

    function _isReceiptBroken(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        address node = cursor.takeAddress();
        bytes32 commitment = bytes32(cursor.takeNumber(32));
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        bytes32 message = _hashCommitment(RECEIPT_TYPEHASH, accused, node, commitment);
        if (!_isSignedBy(rules.superlink, message, cursor.takeBytes(SIGNED))) revert BadProof();

        bool inTree = cursor.takeNumber(1) != 0;
        if (!inTree) return Commits.takeAbsence(cursor, accused.result, node);
        bytes calldata leaf = _takeLeaf(accused, cursor);
        if (_node(leaf) != node) revert BadProof();
        return _kind(leaf) != COMMIT_KIND || _commitment(leaf) != commitment;
    }

    function _isClosedEarly(Case calldata accused, Cursor memory cursor) private view returns (bool) {
        address node = cursor.takeAddress();
        IRounds.Round memory round = coordinator.roundOf(accused.task, accused.round);
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        // By the commits that the coordinator counted: another number is another claim. Who states that all committed may not
        // close without one.
        uint256 commits = round.commits + coordinator.forcedCountOf(accused.task, accused.round);
        bool enough = commits < round.eligible && commits * 100 >= uint256(round.eligible) * rules.closeShare;
        uint256 period = enough ? rules.closeAfter : rules.commitPeriod;
        bool early = round.closedAt < uint256(round.openedAt) + period;
        bool missing = Commits.takeAbsence(cursor, accused.result, node);
        return early && missing && _wasMember(accused, node);
    }

    // Parts of a proof

    /// @dev Reads an index and the leaf there.
    function _takeLeaf(Case calldata accused, Cursor memory cursor) private view returns (bytes calldata) {
        uint256 index = cursor.takeNumber(4);
        return cursor.takeLeaf(Commits.LEAF, accused.result.commitsRoot, index, ROWS_DEPTH);
    }

    // Parts of a leaf

    function _node(bytes calldata leaf) private pure returns (address) {
        return address(bytes20(leaf));
    }

    function _kind(bytes calldata leaf) private pure returns (uint8) {
        return uint8(leaf[20]);
    }

    function _commitment(bytes calldata leaf) private pure returns (bytes32) {
        return bytes32(leaf[21:]);
    }

    // Signatures

    function _opening(Case calldata accused) private view returns (bytes32) {
        return coordinator.roundOf(accused.task, accused.round).opening;
    }

    function _hashCommitment(
        bytes32 typehash,
        Case calldata accused,
        address node,
        bytes32 commitment
    ) private view returns (bytes32) {
        return
            keccak256(abi.encode(typehash, accused.task, accused.round, _opening(accused), node, commitment));
    }

    function _isSignedBy(
        address signer,
        bytes32 message,
        bytes calldata signature
    ) private view returns (bool) {
        return Signatures.isSignedBy(address(coordinator), signer, message, signature);
    }

    function _wasMember(Case calldata accused, address node) private view returns (bool) {
        return coordinator.wasMember(accused.task, node, accused.round);
    }
}
