// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IEquivocations } from "../interfaces/IEquivocations.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Signatures } from "../provers/Signatures.sol";

/// @title The part of Disputes that hears of Supernodes that committed twice
abstract contract Equivocations is IEquivocations {
    bytes32 private constant COMMIT_TYPEHASH = keccak256(
        "Commit(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)"
    );

    mapping(uint64 task => mapping(uint64 round => mapping(address node => bool))) private _equivocated;

    /// @inheritdoc IEquivocations
    function convictNode(
        uint64 task,
        uint64 round,
        address node,
        Signed calldata first,
        Signed calldata second
    ) external {
        _requireAnnounced(keccak256(abi.encode(task, round, node, first, second)));
        if (_equivocated[task][round][node]) revert AlreadyEquivocated(task, round, node);
        bool twice = first.commitment != second.commitment && _rounds().wasMember(task, node, round);
        bytes32 opening = _rounds().roundOf(task, round).opening;
        for (uint256 i = 0; twice && i < 2; ++i) {
            Signed calldata one = i == 0 ? first : second;
            bytes32 message = keccak256(
                abi.encode(COMMIT_TYPEHASH, task, round, opening, node, one.commitment)
            );
            twice = Signatures.isSignedBy(address(_rounds()), node, message, one.signature);
        }
        if (!twice) revert NotTwice(task, round, node);

        _equivocated[task][round][node] = true;
        (uint256 slashed, uint256 paid, uint256 funds) = _computeNodePenalty(task, round, node);
        emit Equivocated(task, round, node, msg.sender, slashed, paid);
        _take(node, task, slashed, paid, funds, msg.sender);
    }

    /// @dev Reverts unless the caller announced this in an earlier block.
    function _requireAnnounced(bytes32 proof) internal view virtual;

    /// @dev Returns what a Supernode loses, and what the accuser and the task's escrow get of it.
    function _computeNodePenalty(
        uint64 task,
        uint64 round,
        address node
    ) internal view virtual returns (uint256 slashed, uint256 paid, uint256 funds);

    /// @dev Slashes stake and divides it.
    function _take(
        address operator,
        uint64 task,
        uint256 slashed,
        uint256 paid,
        uint256 funds,
        address accuser
    ) internal virtual;

    /// @dev Returns the coordinator.
    function _rounds() internal view virtual returns (ITrainingCoordinator);
}
