// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev A Superlink's stake covers the bonds of all its tasks.
contract BondsTest is RoundCalls {
    uint64 internal other;

    function setUp() public override {
        super.setUp();
        other = create(rules(), 1000 ether);
    }

    function openCall() internal view returns (bytes memory) {
        return abi.encodeCall(IRounds.openRound, (task));
    }

    function tooSmall(uint256 stake, uint256 bonds) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRounds.BondTooSmall.selector, stake, bonds);
    }

    function change(uint128 bond) internal {
        ITasks.TaskRules memory r = rules();
        r.superlinkBond = bond;
        vm.prank(DAO);
        coordinator.changeRules(other, r);
    }

    function test_open__stake_of_one_bond_for_two_tasks__refused() public {
        eq(coordinator.bondsOf(superlink), 1000 ether);
        open(); // exactly both bonds
        skip(COMMIT + RESULT);
        coordinator.abort(task, 1);
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.unbond(superlink, 1 ether);
        refuses(ANYONE, openCall(), tooSmall(999 ether, 1000 ether));
        vm.prank(DAO);
        coordinator.closeTask(other, DAO);
        eq(coordinator.bondsOf(superlink), 500 ether);
        open();
    }

    function test_change__another_bond__the_sum_follows() public {
        change(501 ether);
        refuses(ANYONE, openCall(), tooSmall(1000 ether, 1001 ether));
        change(0);
        eq(coordinator.bondsOf(superlink), 500 ether);
        change(500 ether);
        open();
    }

    function test_set_superlink__bond_goes_with_it() public {
        vm.prank(DAO);
        coordinator.setSuperlink(other, ANYONE);
        eq(coordinator.bondsOf(superlink), 500 ether);
        eq(coordinator.bondsOf(ANYONE), 500 ether);
        vm.prank(DAO);
        coordinator.setSuperlink(other, superlink);
        eq(coordinator.bondsOf(superlink), 1000 ether);
        eq(coordinator.bondsOf(ANYONE), 0);
    }

    /// @dev After any changes, the sum is of the rules that open tasks have now.
    function testFuzz_bonds__any_changes__sum_of_the_open_tasks(
        uint128[8] calldata bonds,
        uint8 dice
    ) public {
        for (uint256 i = 0; i < bonds.length; ++i) {
            if (coordinator.rulesOf(other).superlink == superlink) change(bonds[i]);
            if ((dice >> i) & 1 == 1) {
                vm.prank(DAO);
                coordinator.setSuperlink(other, i % 2 == 0 ? ANYONE : superlink);
            }
        }
        ITasks.TaskRules memory r = coordinator.rulesOf(other);
        uint256 bond = r.superlinkBond;
        eq(coordinator.bondsOf(superlink), r.superlink == superlink ? 500 ether + bond : 500 ether);
        eq(coordinator.bondsOf(ANYONE), r.superlink == ANYONE ? bond : 0);
        vm.prank(DAO);
        coordinator.closeTask(other, DAO);
        eq(coordinator.bondsOf(superlink), 500 ether);
        eq(coordinator.bondsOf(ANYONE), 0);
    }
}
