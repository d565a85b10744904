// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRewardDistributor } from "../../contracts/interfaces/IRewardDistributor.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { JuryTrials } from "./JuryTrials.sol";

/// @dev What must always be possible after any calls of the handler: that everything ends, and all money leaves.
abstract contract WayOut is JuryTrials {
    /// @dev Time alone, and anyone: every round ends, every claim is paid, every stake and budget leaves. Paused, too.
    function unwind() internal {
        if (!coordinator.paused()) pause(0);
        if (!registry.paused()) pause(1);
        for (uint256 t = 0; t < 2; ++t) {
            task = tasks[t];
            endAll();
            ITasks.Task memory state = coordinator.taskOf(task);
            eq(state.inFlight, 0);
            for (uint256 i = 0; i < COUNT; ++i) {
                uint256 owed = book().posted[book().active].amounts[i];
                uint256 left = distributor.totalOf(task) - book().claimed;
                uint256 due = owed - distributor.claimedOf(task, owner(i));
                if (due != 0 && due <= left) claimOne(book().active, i);
            }
            if (!state.closed) {
                vm.prank(DAO);
                coordinator.closeTask(task, DAO);
            }
            eq(distributor.availableOf(task), 0);
            if (!state.closed) check(!recover());
            skip(365 days);
            check(recover() == (distributor.totalOf(task) != book().claimed));
            check(!recover());
        }
        endCases();
        eq(token.balanceOf(address(distributor)), 0);
        eq(token.balanceOf(address(coordinator)), 0);
        eq(token.balanceOf(address(disputes)), 0);
        eq(token.balanceOf(address(jury)), 0);
        eq(address(disputes).balance, 0);
        eq(coordinator.bondsOf(superlink), 0);
        for (uint256 i = 0; i < COUNT; ++i) leaveStake(key(i));
        leaveStake(SUPERLINK_KEY);
    }

    /// @dev The DAO takes back what nobody has claimed; returns whether it could.
    function recover() private returns (bool done) {
        bytes memory call = abi.encodeCall(IRewardDistributor.recoverUnclaimed, (task, DAO));
        vm.prank(DAO);
        (done, ) = address(distributor).call(call);
    }

    /// @dev All rounds have ended without waiting for a case; now the cases end, too.
    function endCases() private {
        for (uint256 i = 0; i < asked.length; ++i) {
            if (!asked[i].open) continue;
            task = asked[i].task;
            expireOne(asked[i]);
        }
        for (uint256 i = 0; i < charges.length; ++i) {
            if (!isOpen(charges[i])) continue;
            task = charges[i].task;
            judgeOne(charges[i]);
        }
        for (uint256 i = 0; i < COUNT; ++i) eq(jury.bondsOf(node(i)), 0);
        check(!broken);
    }

    function leaveStake(uint256 operatorKey) private {
        (address operator, address owner_) = (vm.addr(operatorKey), ownerOf(operatorKey));
        uint256 active = registry.stakeOf(operator);
        uint256 unbonding = registry.supernode(operator).unbonding;
        uint256 before = token.balanceOf(owner_);
        if (active != 0) {
            vm.prank(owner_);
            registry.unbond(operator, active);
        }
        if (active + unbonding == 0) return;
        vm.warp(block.timestamp + UNBONDING);
        registry.withdraw(operator);
        eq(token.balanceOf(owner_), before + active + unbonding);
    }
}
