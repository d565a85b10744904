// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { Votes } from "@openzeppelin/contracts/governance/utils/Votes.sol";
import { Pausable } from "@openzeppelin/contracts/utils/Pausable.sol";

import { DaoToken } from "../../contracts/DaoToken.sol";
import { ISupernodeRegistry as R } from "../../contracts/interfaces/ISupernodeRegistry.sol";
import { SupernodeRegistry } from "../../contracts/SupernodeRegistry.sol";
import { Base } from "./Base.sol";

contract SupernodeRegistryTest is Base {
    uint256 internal constant KEY = 0x77;
    address internal constant SLASHER = address(0x51a);

    function no(address sender, bytes memory data, bytes memory expected) internal {
        refuses(sender, address(registry), data, expected);
    }

    function slasher() internal {
        vm.prank(DAO);
        registry.setSlasher(SLASHER, true);
    }

    function slash(uint256 i, uint256 amount, uint256 paid) internal returns (uint256) {
        vm.prank(SLASHER);
        return registry.slash(node(i), amount, ANYONE, paid);
    }

    function unbond(uint256 i, uint256 amount) internal {
        vm.prank(owner(i));
        registry.unbond(node(i), amount);
    }

    // Register

    function test_register__new__stakes_and_votes() public {
        address to = ownerOf(KEY);
        address operator = vm.addr(KEY);
        uint256 before = token.balanceOf(address(registry));
        give(to, 60 ether);
        bytes memory signature = operatorSignature(to, operator, KEY);
        vm.expectEmit();
        emit R.Registered(operator, to, 60 ether);
        vm.prank(to);
        registry.register(operator, 60 ether, signature);

        R.Supernode memory n = registry.supernode(operator);
        eq(n.owner, to);
        eq(n.active, 60 ether);
        eq(n.unbonding, 0);
        eq(registry.ownerOf(operator), to);
        eq(registry.stakeOf(operator), 60 ether);
        eq(token.balanceOf(address(registry)), before + 60 ether);
        eq(registry.delegates(to), to);
        eq(registry.getVotes(to), 60 ether);
    }

    function test_register__second_operator__keeps_the_delegate() public {
        vm.prank(owner(0));
        registry.delegate(ANYONE);
        give(owner(0), STAKE);
        bytes memory signature = operatorSignature(owner(0), vm.addr(KEY), KEY);
        vm.prank(owner(0));
        registry.register(vm.addr(KEY), STAKE, signature);
        eq(registry.delegates(owner(0)), ANYONE);
        eq(registry.getVotes(ANYONE), 2 * STAKE);
    }

    function test_register__wrong__refused() public {
        address to = ownerOf(KEY);
        address operator = vm.addr(KEY);
        give(to, STAKE);
        bytes memory good = operatorSignature(to, operator, KEY);
        bytes memory other = operatorSignature(ANYONE, operator, KEY);
        no(
            to,
            abi.encodeCall(R.register, (to, STAKE, good)),
            abi.encodeWithSelector(R.OperatorIsOwner.selector, to)
        );
        no(
            to,
            abi.encodeCall(R.register, (node(0), STAKE, good)),
            abi.encodeWithSelector(R.AlreadyRegistered.selector, node(0))
        );
        no(
            to,
            abi.encodeCall(R.register, (operator, STAKE, "")),
            abi.encodeWithSelector(R.BadOperatorSignature.selector, address(0), operator)
        );
        no(
            to,
            abi.encodeCall(R.register, (address(0), STAKE, "")),
            abi.encodeWithSelector(R.BadOperatorSignature.selector, address(0), address(0))
        );
        no(
            to,
            abi.encodeCall(R.register, (operator, MINIMUM - 1, good)),
            abi.encodeWithSelector(R.StakeTooSmall.selector, MINIMUM - 1, MINIMUM)
        );
        // another owner's consent recovers some other address
        vm.prank(to);
        (bool done, ) = address(registry).call(abi.encodeCall(R.register, (operator, STAKE, other)));
        check(!done);
        check(registry.ownerOf(operator) == address(0));
    }

    function test_register__more_than_uint120__refused() public {
        uint256 supply = type(uint120).max;
        DaoToken big = newToken("Big", "BIG", address(this), 4 * supply);
        SupernodeRegistry own = newRegistry(big, 1, UNBONDING, DAO);
        registry = own;
        big.approve(address(own), type(uint256).max);
        bytes memory signature = operatorSignature(address(this), vm.addr(KEY), KEY);
        own.register(vm.addr(KEY), supply, signature);
        no(
            address(this),
            abi.encodeCall(R.addStake, (vm.addr(KEY), 1)),
            abi.encodeWithSelector(R.StakeTooLarge.selector, 1)
        );
        own.unbond(vm.addr(KEY), supply);
        no(
            address(this),
            abi.encodeCall(R.addStake, (vm.addr(KEY), 1)),
            abi.encodeWithSelector(R.StakeTooLarge.selector, 1)
        );
    }

    // Add stake

    function test_add_stake__owner__adds() public {
        give(owner(0), 5 ether);
        vm.expectEmit();
        emit R.StakeAdded(node(0), 5 ether);
        vm.prank(owner(0));
        registry.addStake(node(0), 5 ether);
        eq(registry.stakeOf(node(0)), STAKE + 5 ether);
        eq(registry.getVotes(owner(0)), STAKE + 5 ether);
    }

    function test_add_stake__wrong__refused() public {
        no(
            ANYONE,
            abi.encodeCall(R.addStake, (node(0), 1)),
            abi.encodeWithSelector(R.NotOwnerOf.selector, node(0), ANYONE)
        );
        no(
            ANYONE,
            abi.encodeCall(R.addStake, (ANYONE, 1)),
            abi.encodeWithSelector(R.NotRegistered.selector, ANYONE)
        );
        no(owner(0), abi.encodeCall(R.addStake, (node(0), 0)), abi.encodeWithSelector(R.ZeroAmount.selector));
        unbond(0, STAKE);
        no(
            owner(0),
            abi.encodeCall(R.addStake, (node(0), 1)),
            abi.encodeWithSelector(R.StakeTooSmall.selector, 1, MINIMUM)
        );
    }

    // Unbond and withdraw

    function test_unbond__then_withdraw__pays_the_owner_after_the_period() public {
        vm.expectEmit();
        emit R.Unbonding(node(0), 80 ether, block.timestamp + UNBONDING);
        unbond(0, 80 ether);
        eq(registry.stakeOf(node(0)), 120 ether);
        eq(registry.getVotes(owner(0)), STAKE);

        uint256 release = block.timestamp + UNBONDING;
        vm.warp(release - 1);
        no(
            ANYONE,
            abi.encodeCall(R.withdraw, (node(0))),
            abi.encodeWithSelector(R.StillUnbonding.selector, release)
        );
        vm.warp(release);
        vm.expectEmit();
        emit R.Withdrawn(node(0), owner(0), 80 ether);
        vm.prank(ANYONE);
        registry.withdraw(node(0));
        eq(token.balanceOf(owner(0)), 80 ether);
        eq(registry.getVotes(owner(0)), 120 ether);
        no(
            ANYONE,
            abi.encodeCall(R.withdraw, (node(0))),
            abi.encodeWithSelector(R.NothingToWithdraw.selector, node(0))
        );
    }

    function test_unbond__again__restarts_the_clock() public {
        unbond(0, 50 ether);
        skip(UNBONDING - 1);
        unbond(0, 50 ether);
        uint256 release = block.timestamp + UNBONDING;
        skip(1);
        no(
            ANYONE,
            abi.encodeCall(R.withdraw, (node(0))),
            abi.encodeWithSelector(R.StillUnbonding.selector, release)
        );
        vm.warp(release);
        registry.withdraw(node(0));
        eq(token.balanceOf(owner(0)), 100 ether);
    }

    function test_unbond__to_exactly_the_minimum__stays() public {
        unbond(0, STAKE - MINIMUM);
        eq(registry.stakeOf(node(0)), MINIMUM);
        registerKey(KEY, MINIMUM);
    }

    function test_delegate__after_leaving_and_slash__moves_what_is_left() public {
        slasher();
        slash(0, 10 ether, 0);
        unbond(0, 60 ether);
        skip(UNBONDING);
        registry.withdraw(node(0));
        vm.prank(owner(0));
        registry.delegate(ANYONE);
        eq(registry.getVotes(owner(0)), 0);
        eq(registry.getVotes(ANYONE), STAKE - 70 ether);
    }

    function test_unbond__wrong__refused() public {
        no(
            node(0),
            abi.encodeCall(R.unbond, (node(0), STAKE)),
            abi.encodeWithSelector(R.NotOwnerOf.selector, node(0), node(0))
        );
        no(owner(0), abi.encodeCall(R.unbond, (node(0), 0)), abi.encodeWithSelector(R.ZeroAmount.selector));
        no(
            owner(0),
            abi.encodeCall(R.unbond, (node(0), STAKE + 1)),
            abi.encodeWithSelector(R.InsufficientStake.selector, STAKE + 1, STAKE)
        );
        no(
            owner(0),
            abi.encodeCall(R.unbond, (node(0), STAKE - 1)),
            abi.encodeWithSelector(R.StakeTooSmall.selector, 1, MINIMUM)
        );
        no(
            ANYONE,
            abi.encodeCall(R.withdraw, (ANYONE)),
            abi.encodeWithSelector(R.NothingToWithdraw.selector, ANYONE)
        );
    }

    // Slash

    function test_slash__active__pays_half_at_most_and_burns_the_rest() public {
        slasher();
        uint256 supply = token.totalSupply();
        vm.expectEmit();
        emit R.Slashed(node(0), 60 ether, ANYONE, 30 ether);
        eq(slash(0, 60 ether, 40 ether), 60 ether);
        eq(registry.stakeOf(node(0)), 140 ether);
        eq(token.balanceOf(ANYONE), 30 ether);
        eq(token.totalSupply(), supply - 30 ether);
        eq(registry.getVotes(owner(0)), 140 ether);
    }

    function test_slash__nobody_paid__burns_all() public {
        slasher();
        uint256 supply = token.totalSupply();
        slash(0, 60 ether, 0);
        eq(token.totalSupply(), supply - 60 ether);
    }

    function test_slash__more_than_active__takes_unbonding_too() public {
        slasher();
        unbond(0, 120 ether);
        eq(slash(0, 100 ether, 0), 100 ether);
        R.Supernode memory n = registry.supernode(node(0));
        eq(n.active, 0);
        eq(n.unbonding, 100 ether);
        eq(slash(0, type(uint256).max, 0), 100 ether);
        eq(registry.getVotes(owner(0)), 0);
        bytes memory data = abi.encodeCall(R.slash, (node(0), 1, ANYONE, 0));
        no(SLASHER, data, abi.encodeWithSelector(R.ZeroAmount.selector));
    }

    function test_slash__below_minimum__all_may_leave() public {
        slasher();
        slash(0, 180 ether, 0);
        unbond(0, 20 ether);
        skip(UNBONDING);
        registry.withdraw(node(0));
        eq(token.balanceOf(owner(0)), 20 ether);
    }

    function test_slash__wrong__refused() public {
        bytes memory data = abi.encodeCall(R.slash, (node(0), 1, ANYONE, 0));
        no(SLASHER, data, abi.encodeWithSelector(R.NotSlasher.selector, SLASHER));
        slasher();
        data = abi.encodeCall(R.slash, (ANYONE, 1, ANYONE, 0));
        no(SLASHER, data, abi.encodeWithSelector(R.NotRegistered.selector, ANYONE));
        vm.expectEmit();
        emit R.SlasherSet(SLASHER, false);
        vm.prank(DAO);
        registry.setSlasher(SLASHER, false);
        data = abi.encodeCall(R.slash, (node(0), 1, ANYONE, 0));
        no(SLASHER, data, abi.encodeWithSelector(R.NotSlasher.selector, SLASHER));
    }

    // Pause

    function test_pause__paused__stops_entries_only() public {
        vm.prank(DAO);
        registry.pause();
        bytes memory paused = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        no(owner(0), abi.encodeCall(R.addStake, (node(0), 1)), paused);
        no(owner(0), abi.encodeCall(R.register, (ANYONE, 1, "")), paused);
        unbond(0, STAKE);
        skip(UNBONDING);
        registry.withdraw(node(0));
        slasher();
        slash(1, 1 ether, 0);
        eq(token.balanceOf(owner(0)), STAKE);
        bytes memory consent = operatorSignature(owner(1), vm.addr(KEY), KEY);
        vm.prank(owner(1));
        registry.rotate(node(1), vm.addr(KEY), consent);
        vm.prank(owner(1));
        registry.revoke(node(1));
        vm.prank(DAO);
        registry.unpause();
        give(owner(1), 1 ether);
        vm.prank(owner(1));
        registry.addStake(node(1), 1 ether);
    }

    function test_owner__anyone_else__refused() public {
        bytes memory expected = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ANYONE);
        no(ANYONE, abi.encodeCall(registry.pause, ()), expected);
        no(ANYONE, abi.encodeCall(registry.unpause, ()), expected);
        no(ANYONE, abi.encodeCall(R.setSlasher, (ANYONE, true)), expected);
    }

    // History

    function test_stake_at__changes__by_block() public {
        uint256 before = block.number;
        unbond(0, 60 ether);
        unbond(0, 20 ether);
        no(
            ANYONE,
            abi.encodeCall(R.stakeAt, (node(0), before)),
            abi.encodeWithSelector(Votes.ERC5805FutureLookup.selector, before, before)
        );
        vm.roll(before + 5);
        unbond(0, STAKE - 80 ether);
        vm.roll(before + 9);
        eq(registry.stakeAt(node(0), before - 1), STAKE);
        eq(registry.stakeAt(node(0), before), 120 ether);
        eq(registry.stakeAt(node(0), before + 4), 120 ether);
        eq(registry.stakeAt(node(0), before + 5), 0);
    }

    function test_clock__any__is_the_block_time() public view {
        eq(registry.clock(), block.timestamp);
        eq(keccak256(bytes(registry.CLOCK_MODE())), keccak256("mode=timestamp"));
    }

    // Fuzz

    function testFuzz_stake__add_unbond_slash__adds_up(
        uint256 added,
        uint256 taken,
        uint256 slashed,
        uint256 paid
    ) public {
        slasher();
        added = 1 + (added % 1e24);
        give(owner(0), added);
        vm.prank(owner(0));
        registry.addStake(node(0), added);
        taken = 1 + (taken % (STAKE + added));
        uint256 left = STAKE + added - taken;
        if (left != 0 && left < MINIMUM) {
            taken = STAKE + added;
            left = 0;
        }
        unbond(0, taken);
        slashed = 1 + (slashed % (2 * (STAKE + added)));
        uint256 supply = token.totalSupply();
        uint256 total = slash(0, slashed, paid);

        R.Supernode memory n = registry.supernode(node(0));
        eq(total, slashed < STAKE + added ? slashed : STAKE + added);
        eq(n.active, left > total ? left - total : 0);
        eq(n.active + n.unbonding + total, STAKE + added);
        eq(registry.getVotes(owner(0)), n.active + n.unbonding);
        uint256 reward = token.balanceOf(ANYONE);
        check(reward <= total / 2 && reward <= paid);
        eq(token.totalSupply() + total - reward, supply);
    }
}
