// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IGovernor } from "@openzeppelin/contracts/governance/IGovernor.sol";
import { TimelockController } from "@openzeppelin/contracts/governance/TimelockController.sol";

import { DaoGovernor } from "../../contracts/governance/DaoGovernor.sol";
import { VotingPower } from "../../contracts/governance/VotingPower.sol";
import { Base } from "./Base.sol";

/// @dev The DAO of Base, handed over to its members: three owners with 200 tokens at stake each, the Superlink's with
/// 1,000, and a challenger with 1,000 in its wallet. The task's escrow holds 1,000, the timelock all the rest.
abstract contract Governed is Base {
    uint48 internal constant DELAY = 1 hours;
    uint32 internal constant PERIOD = 1 days;
    uint48 internal constant EXTENSION = 6 hours;
    uint256 internal constant WAIT = 2 days; // of the timelock
    uint256 internal constant THRESHOLD = 100 ether;
    uint256 internal constant QUORUM = 20; // percent
    uint256 internal constant OUTSIDE = 2600 ether; // treasury and escrow

    /// @dev A proposal of up to two calls.
    struct Draft {
        address[] targets;
        uint256[] values;
        bytes[] calldatas;
        string description;
    }

    TimelockController internal timelock;
    VotingPower internal power;
    DaoGovernor internal governor;

    function setUp() public virtual override {
        super.setUp();
        address[] memory nobody = new address[](0);
        bytes memory arguments = abi.encode(WAIT, nobody, nobody, address(this));
        timelock = TimelockController(payable(deploy("TimelockController", arguments)));
        power = newPower(address(timelock), address(distributor));
        arguments = abi.encode(power, timelock, DELAY, PERIOD, THRESHOLD, QUORUM, EXTENSION);
        governor = DaoGovernor(payable(deploy("DaoGovernor", arguments)));
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(governor));
        timelock.grantRole(timelock.CANCELLER_ROLE(), address(governor));
        timelock.grantRole(timelock.EXECUTOR_ROLE(), address(0));
        timelock.renounceRole(timelock.DEFAULT_ADMIN_ROLE(), address(this));
        vm.prank(DAO);
        registry.transferOwnership(address(timelock));
        vm.prank(DAO);
        coordinator.transferOwnership(address(timelock));
        vm.prank(address(timelock));
        token.delegate(address(timelock));
        uint256 rest = token.balanceOf(DAO);
        vm.prank(DAO);
        token.transfer(address(timelock), rest);
        skip(1);
    }

    function newPower(address treasury, address escrow) public returns (VotingPower) {
        return VotingPower(deploy("VotingPower", abi.encode(token, registry, treasury, escrow)));
    }

    // Drafts

    function draft(address target, bytes memory data) internal pure returns (Draft memory d) {
        d.targets = new address[](1);
        d.values = new uint256[](1);
        d.calldatas = new bytes[](1);
        (d.targets[0], d.calldatas[0]) = (target, data);
        d.description = "What we decide";
    }

    function draft(
        address first,
        bytes memory firstData,
        address second,
        bytes memory secondData
    ) internal pure returns (Draft memory d) {
        d.targets = new address[](2);
        d.values = new uint256[](2);
        d.calldatas = new bytes[](2);
        (d.targets[0], d.calldatas[0]) = (first, firstData);
        (d.targets[1], d.calldatas[1]) = (second, secondData);
        d.description = "What we decide";
    }

    function grantOf(uint256 amount) internal view returns (Draft memory) {
        return draft(address(token), abi.encodeCall(token.transfer, (ANYONE, amount)));
    }

    // The steps of a decision

    function propose(Draft memory d) internal returns (uint256) {
        vm.prank(owner(0));
        return governor.propose(d.targets, d.values, d.calldatas, d.description);
    }

    function vote(uint256 id, address voter, uint8 support) internal {
        vm.prank(voter);
        governor.castVote(id, support);
    }

    function queue(Draft memory d) internal {
        governor.queue(d.targets, d.values, d.calldatas, keccak256(bytes(d.description)));
    }

    function execute(Draft memory d) internal {
        governor.execute(d.targets, d.values, d.calldatas, keccak256(bytes(d.description)));
    }

    /// @dev Proposed, accepted by all owners, queued; the timelock's delay has passed.
    function decided(Draft memory d) internal returns (uint256 id) {
        id = propose(d);
        skip(DELAY + 1);
        for (uint256 i = 0; i < NODES; ++i) vote(id, owner(i), 1);
        skip(PERIOD);
        queue(d);
        skip(WAIT);
    }

    /// @dev All of a decision's life.
    function carry(Draft memory d) internal {
        uint256 id = decided(d);
        vm.prank(ANYONE);
        execute(d);
        at(id, IGovernor.ProposalState.Executed);
    }

    function at(uint256 id, IGovernor.ProposalState expected) internal view {
        eq(uint256(governor.state(id)), uint256(expected));
    }

    // Signatures

    function signGovernor(uint256 signer, bytes32 structHash) internal view returns (bytes memory) {
        bytes32 typehash = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        );
        bytes32 separator = keccak256(
            abi.encode(typehash, keccak256("DaoGovernor"), keccak256("1"), block.chainid, address(governor))
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(
            signer,
            keccak256(abi.encodePacked("\x19\x01", separator, structHash))
        );
        return abi.encodePacked(r, s, v);
    }

    function signPropose(
        uint256 signer,
        address proposer,
        Draft memory d,
        uint256 nonce,
        uint256 deadline
    ) internal view returns (bytes memory) {
        bytes32 typehash = keccak256(
            "Propose(address proposer,bytes32 actions,string description,uint256 nonce,uint256 deadline)"
        );
        bytes32 actions = keccak256(abi.encode(d.targets, d.values, d.calldatas));
        bytes32 words = keccak256(bytes(d.description));
        return
            signGovernor(signer, keccak256(abi.encode(typehash, proposer, actions, words, nonce, deadline)));
    }
}
