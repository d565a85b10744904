// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDisputes } from "../../contracts/interfaces/IDisputes.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { FakeProver } from "./FakeProver.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev An accuser, a prover in the set, and the steps from a proof to a conviction.
abstract contract Accusing is RoundCalls {
    address internal constant ACCUSER = address(0xacc);

    FakeProver internal prover;

    function setUp() public virtual override {
        super.setUp();
        prover = new FakeProver();
        vm.prank(DAO);
        disputes.setProver(address(prover), true);
        skip(1);
    }

    function digestOf(
        address accuser,
        address prover_,
        uint8 claim,
        uint64 round,
        bytes memory proof
    ) internal view returns (bytes32) {
        bytes32 accusation = keccak256(abi.encode(prover_, claim, task, round, proof));
        return keccak256(abi.encode(accuser, accusation));
    }

    function digest(uint64 round, bytes memory proof) internal view returns (bytes32) {
        return digestOf(ACCUSER, address(prover), 0, round, proof);
    }

    function announceDigest(bytes32 value) internal {
        vm.prank(ACCUSER);
        disputes.announce(value);
        skip(1);
    }

    function announce(uint64 round, bytes memory proof) internal {
        announceDigest(digest(round, proof));
    }

    function convictCall(
        address prover_,
        uint8 claim,
        uint64 round,
        bytes memory proof
    ) internal view returns (bytes memory) {
        return
            abi.encodeCall(
                IDisputes.convict,
                (prover_, claim, task, round, result(round), statement(round), proof)
            );
    }

    function convictCall(uint64 round, bytes memory proof) internal view returns (bytes memory) {
        return convictCall(address(prover), 0, round, proof);
    }

    function convict(uint64 round, bytes memory proof) internal {
        convict(round, result(round), proof);
    }

    function convict(uint64 round, IRounds.Result memory r, bytes memory proof) internal {
        vm.prank(ACCUSER);
        disputes.convict(address(prover), 0, task, round, r, statement(round), proof);
    }

    /// @dev A round that is posted and convicted.
    function convicted() internal {
        uint64 round = posted();
        announce(round, "proof");
        convict(round, "proof");
    }

    /// @dev Rounds that open from now on ask for this bond.
    function bond(uint128 amount) internal {
        ITasks.TaskRules memory r = rules();
        r.superlinkBond = amount;
        vm.prank(DAO);
        coordinator.changeRules(task, r);
    }

    function withdrawAll() internal {
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.unbond(superlink, 1000 ether);
        skip(UNBONDING);
        registry.withdraw(superlink);
    }

    function no(bytes memory data, bytes memory expected) internal {
        refuses(ACCUSER, address(disputes), data, expected);
    }

    function refusedIn(uint64 round, IRounds.Phase at) internal {
        announce(round, "again");
        no(convictCall(round, "again"), wrongPhase(round, at));
    }

    function notAnnounced(uint64 round, bytes memory proof) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IDisputes.NotAnnounced.selector, digest(round, proof));
    }

    function notProver(address prover_, uint64 round) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IDisputes.NotProver.selector, prover_, task, round);
    }
}
