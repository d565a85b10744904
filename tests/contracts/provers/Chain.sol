// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../../contracts/interfaces/ITasks.sol";

/// @dev What provers read of a coordinator and its registry, as a test sets it, and of ForcedReveals: rounds of small trees, at the address and on the chain of a
/// vector.
contract Chain {
    mapping(uint64 round => IRounds.Round) private _rounds;
    mapping(uint64 round => mapping(address node => bool)) private _members;
    ITasks.TaskRules private _rules;
    uint256 private _forced;
    mapping(uint64 task => mapping(uint64 round => mapping(address node => bytes32))) public commitmentOf;
    mapping(uint64 task => mapping(uint64 round => mapping(address node => bool))) public isAttested;
    mapping(address node => address owner) public ownerOf;
    mapping(address node => mapping(uint256 blockNumber => uint256)) public stakeAt;

    function setRules(ITasks.TaskRules calldata rules) external {
        _rules = rules;
    }

    function setRound(uint64 round, IRounds.Round calldata state) external {
        _rounds[round] = state;
    }

    function setMember(uint64 round, address node, bool member) external {
        _members[round][node] = member;
    }

    function setForced(uint256 count) external {
        _forced = count;
    }

    function setRevealed(uint64 task, uint64 round, address node, bytes32 commitment) external {
        commitmentOf[task][round][node] = commitment;
    }

    function setAttested(uint64 task, uint64 round, address node) external {
        isAttested[task][round][node] = true;
    }

    function setStake(address node, address owner, uint256 blockNumber, uint256 stake) external {
        ownerOf[node] = owner;
        stakeAt[node][blockNumber] = stake;
    }

    /// @dev Its own: the chain of a test is one contract.
    function registry() external view returns (address) {
        return address(this);
    }

    function forcedCountOf(uint64, uint64) external view returns (uint256) {
        return _forced;
    }

    function wasMember(uint64, address node, uint64 round) external view returns (bool) {
        return _members[round][node];
    }

    function rulesOfRound(uint64, uint64) external view returns (ITasks.TaskRules memory) {
        return _rules;
    }

    function roundOf(uint64, uint64 round) external view returns (IRounds.Round memory) {
        return _rounds[round];
    }
}
