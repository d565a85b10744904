// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ISupernodeRegistry as R } from "../../contracts/interfaces/ISupernodeRegistry.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev How long the stake of a Supernode can be slashed for an offence in a round: it unbonds in the very block that opens
/// the round, and all others are as slow as they may be.
contract UnbondingTest is RoundCalls {
    /// @dev Its periods are as long as the unbonding period lets them be.
    function longest() internal view returns (ITasks.TaskRules memory r) {
        r = rules();
        r.challengePeriod = uint32(UNBONDING) - 1 - COMMIT - RESULT - REVEAL - RESULT - RESOLVE;
    }

    /// @dev Opens a round of the longest rules; the first Supernode unbonds all, and commits.
    /// @return released when its stake may leave
    function begin() internal returns (uint256 released) {
        task = create(longest(), 100 ether);
        for (uint256 i = 0; i < NODES; ++i) join(i);
        skip(1);
        open();
        vm.prank(owner(0));
        registry.unbond(node(0), STAKE);
        released = block.timestamp + UNBONDING;
        force(1, 0);
    }

    /// @dev The last second in which the result of a closed round may be challenged, if it came in its own last one.
    function challengeLate() internal {
        skip(REVEAL + RESULT);
        post(1);
        skip(longest().challengePeriod - 1);
        challenge(1);
    }

    function test_withdraw__all_as_late_as_may_be__not_before_the_round_is_decided() public {
        uint256 released = begin();
        skip(COMMIT + RESULT);
        close(1, 2);
        challengeLate();
        skip(RESOLVE - 1);
        refuses(
            ANYONE,
            address(registry),
            abi.encodeCall(R.withdraw, (node(0))),
            abi.encodeWithSelector(R.StillUnbonding.selector, released)
        );
        eq(block.timestamp + 3, released);
        resolve(1, false);
        vm.prank(DAO);
        registry.setSlasher(DAO, true);
        vm.prank(DAO);
        eq(registry.slash(node(0), STAKE, ANYONE, 0), STAKE);
    }

    function test_create_task__stake_could_leave_before__refused() public {
        ITasks.TaskRules memory r = longest();
        r.challengePeriod += 1;
        bytes memory data = abi.encodeCall(ITasks.createTask, (r, 0));
        refuses(DAO, data, abi.encodeWithSelector(ITasks.BadRules.selector, "unbondingPeriod"));
    }

    // What no period covers (docs/contracts.md, "What is worth knowing")

    function test_withdraw__nobody_aborted_a_round_that_closed_later__leaves_before_it_is_decided() public {
        uint256 released = begin();
        skip(COMMIT + RESULT + 3);
        close(1, 2);
        challengeLate();
        skip(RESOLVE - 1);
        eq(block.timestamp, released);
        registry.withdraw(node(0));
        resolve(1, false);
        eq(registry.supernode(node(0)).unbonding, 0);
    }

    function test_withdraw__wrong_challenge_first__leaves_in_the_fresh_window() public {
        uint256 released = begin();
        skip(COMMIT + RESULT);
        close(1, 2);
        challengeLate();
        skip(RESOLVE - 1);
        resolve(1, true);
        vm.warp(released);
        registry.withdraw(node(0));
        challenge(1);
        resolve(1, false);
        eq(phase(1), IRounds.Phase.Void);
    }
}
