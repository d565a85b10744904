// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ISupernodeRegistry as R } from "../../contracts/interfaces/ISupernodeRegistry.sol";
import { Base } from "./Base.sol";

/// @dev Operators that their owner replaces or revokes, at the registry and in a task.
contract OperatorsTest is Base {
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

    function consent(uint256 i, uint256 operatorKey) internal view returns (bytes memory) {
        return operatorSignature(owner(i), vm.addr(operatorKey), operatorKey);
    }

    function rotate(uint256 i, address operator, uint256 operatorKey) internal {
        bytes memory signature = consent(i, operatorKey);
        vm.prank(owner(i));
        registry.rotate(operator, vm.addr(operatorKey), signature);
    }

    function revoke(uint256 i, address operator) internal {
        vm.prank(owner(i));
        registry.revoke(operator);
    }

    function test_rotate__owner__the_stake_is_the_new_operators_from_this_block() public {
        unbond(0, 40 ether);
        uint256 before = block.number;
        skip(1);
        bytes memory signature = consent(0, KEY);
        vm.expectEmit();
        emit R.Rotated(node(0), vm.addr(KEY));
        vm.prank(owner(0));
        registry.rotate(node(0), vm.addr(KEY), signature);
        eq(registry.stakeOf(node(0)), 0);
        eq(registry.stakeOf(vm.addr(KEY)), 160 ether);
        vm.roll(block.number + 1);
        eq(registry.stakeAt(node(0), before), 160 ether);
        eq(registry.stakeAt(vm.addr(KEY), before), 0);
        eq(registry.stakeAt(node(0), before + 1), 0);
        eq(registry.stakeAt(vm.addr(KEY), before + 1), 160 ether);
        eq(registry.ownerOf(node(0)), owner(0));
        eq(registry.ownerOf(vm.addr(KEY)), owner(0));
        eq(registry.getVotes(owner(0)), STAKE);
        for (uint256 k = 0; k < 2; ++k) {
            R.Supernode memory n = registry.supernode(k == 0 ? node(0) : vm.addr(KEY));
            eq(n.owner, owner(0));
            eq(n.active, 160 ether);
            eq(n.unbonding, 40 ether);
            eq(n.operator, vm.addr(KEY));
            check(!n.revoked);
        }
    }

    function test_rotate__twice__the_stake_follows() public {
        rotate(0, node(0), KEY);
        rotate(0, node(0), KEY + 1);
        rotate(0, vm.addr(KEY), KEY + 2);
        eq(registry.stakeOf(vm.addr(KEY)), 0);
        eq(registry.stakeOf(vm.addr(KEY + 1)), 0);
        eq(registry.stakeOf(vm.addr(KEY + 2)), STAKE);
        eq(registry.supernode(vm.addr(KEY + 1)).operator, vm.addr(KEY + 2));
    }

    function test_rotate__then_slash_of_the_old_operator__takes_the_whole_stake() public {
        unbond(0, 120 ether);
        rotate(0, node(0), KEY);
        slasher();
        vm.expectEmit();
        emit R.Slashed(vm.addr(KEY), 100 ether, ANYONE, 0);
        eq(slash(0, 100 ether, 0), 100 ether);
        eq(registry.stakeOf(vm.addr(KEY)), 0);
        eq(registry.supernode(vm.addr(KEY)).unbonding, 100 ether);
        eq(slash(0, type(uint256).max, 0), 100 ether);
    }

    function test_rotate__then_old_operators_name__works_for_the_owner() public {
        rotate(0, node(0), KEY);
        give(owner(0), 5 ether);
        vm.expectEmit();
        emit R.StakeAdded(vm.addr(KEY), 5 ether);
        vm.prank(owner(0));
        registry.addStake(node(0), 5 ether);
        eq(registry.stakeOf(vm.addr(KEY)), STAKE + 5 ether);
        unbond(0, STAKE + 5 ether);
        skip(UNBONDING);
        registry.withdraw(node(0));
        eq(token.balanceOf(owner(0)), STAKE + 5 ether);
        eq(registry.stakeOf(vm.addr(KEY)), 0);
    }

    function test_rotate__wrong__refused() public {
        address next = vm.addr(KEY);
        bytes memory good = consent(0, KEY);
        no(
            node(0),
            abi.encodeCall(R.rotate, (node(0), next, good)),
            abi.encodeWithSelector(R.NotOwnerOf.selector, node(0), node(0))
        );
        no(
            owner(0),
            abi.encodeCall(R.rotate, (ANYONE, next, good)),
            abi.encodeWithSelector(R.NotRegistered.selector, ANYONE)
        );
        no(
            owner(0),
            abi.encodeCall(R.rotate, (node(0), owner(0), good)),
            abi.encodeWithSelector(R.OperatorIsOwner.selector, owner(0))
        );
        no(
            owner(0),
            abi.encodeCall(R.rotate, (node(0), node(1), good)),
            abi.encodeWithSelector(R.AlreadyRegistered.selector, node(1))
        );
        no(
            owner(0),
            abi.encodeCall(R.rotate, (node(0), next, "")),
            abi.encodeWithSelector(R.BadOperatorSignature.selector, address(0), next)
        );
        // no operator comes back, to whomever
        rotate(0, node(0), KEY);
        no(
            owner(0),
            abi.encodeCall(R.rotate, (node(0), node(0), good)),
            abi.encodeWithSelector(R.AlreadyRegistered.selector, node(0))
        );
        no(
            owner(1),
            abi.encodeCall(R.register, (next, STAKE, good)),
            abi.encodeWithSelector(R.AlreadyRegistered.selector, next)
        );
    }

    function test_revoke__owner__the_stake_stays_and_counts_for_nobody() public {
        vm.expectEmit();
        emit R.Revoked(node(0));
        revoke(0, node(0));
        eq(registry.stakeOf(node(0)), 0);
        check(registry.supernode(node(0)).revoked);
        eq(registry.supernode(node(0)).active, STAKE);
        eq(registry.getVotes(owner(0)), STAKE);
        uint256 at = block.number;
        give(owner(0), 5 ether);
        vm.prank(owner(0));
        registry.addStake(node(0), 5 ether);
        slasher();
        slash(0, 15 ether, 0);
        unbond(0, 40 ether);
        vm.roll(at + 1);
        eq(registry.stakeOf(node(0)), 0);
        eq(registry.stakeAt(node(0), at - 1), STAKE);
        eq(registry.stakeAt(node(0), at), 0);
        skip(UNBONDING);
        registry.withdraw(node(0));
        eq(token.balanceOf(owner(0)), 40 ether);

        rotate(0, node(0), KEY);
        eq(registry.stakeOf(vm.addr(KEY)), 150 ether);
        check(!registry.supernode(node(0)).revoked);
        revoke(0, node(0));
        eq(registry.stakeOf(vm.addr(KEY)), 0);
    }

    function test_revoke__wrong__refused() public {
        no(
            node(0),
            abi.encodeCall(R.revoke, (node(0))),
            abi.encodeWithSelector(R.NotOwnerOf.selector, node(0), node(0))
        );
        no(
            ANYONE,
            abi.encodeCall(R.revoke, (ANYONE)),
            abi.encodeWithSelector(R.NotRegistered.selector, ANYONE)
        );
        revoke(0, node(0));
        no(
            owner(0),
            abi.encodeCall(R.revoke, (node(0))),
            abi.encodeWithSelector(R.AlreadyRevoked.selector, node(0))
        );
    }

    function test_supernode__nobody_registered__is_zero() public view {
        R.Supernode memory n = registry.supernode(ANYONE);
        eq(n.owner, address(0));
        eq(n.operator, address(0));
        eq(registry.stakeOf(ANYONE), 0);
    }

    function test_rotate__round_open__old_key_may_commit_until_its_seat_is_cleared() public {
        uint64 round = open();
        skip(1);
        rotate(0, node(0), KEY);
        force(round, 0);
        skip(COMMIT + RESULT);
        coordinator.abort(task, round);
        round = open();
        // a member, with no stake: what it commits weighs nothing; its seat is anyone's to clear
        eq(registry.stakeAt(node(0), block.number - 1), 0);
        force(round, 0);
        coordinator.expire(task, node(0));
        skip(COMMIT + RESULT);
        coordinator.abort(task, round);
        round = open();
        bytes32 value = commitment(0, round);
        bytes memory signature = signCommit(round, 0, value);
        refuses(
            ANYONE,
            address(coordinator),
            abi.encodeCall(coordinator.commit, (task, round, node(0), value, signature)),
            abi.encodeWithSelector(IMembers.NotJoined.selector, task, node(0))
        );
        vm.prank(owner(0));
        coordinator.join(task, vm.addr(KEY));
        check(coordinator.isJoined(task, vm.addr(KEY)));
    }

    function test_revoke__superlink__opens_no_more_rounds() public {
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.revoke(superlink);
        refuses(
            ANYONE,
            address(coordinator),
            abi.encodeCall(coordinator.openRound, (task)),
            abi.encodeWithSelector(IRounds.BondTooSmall.selector, 0, 500 ether)
        );
    }

    // Fuzz

    /// @dev Whatever happens to a Supernode, one operator at most has its active stake at any block, and all have it
    /// behind them.
    function testFuzz_supernode__any_sequence__one_operator_has_the_stake(uint256 dice) public {
        slasher();
        uint256 operators = 1;
        uint256 start = token.balanceOf(address(registry)) - STAKE;
        for (uint256 step = 0; step < 24; ++step) {
            dice = uint256(keccak256(abi.encode(dice)));
            uint256 turn = dice % 6;
            address named = operator_((dice >> 8) % operators);
            uint256 amount = 1 + ((dice >> 64) % (40 ether));
            if (turn == 0) rotate(0, named, KEY + operators++);
            else if (turn == 4) {
                vm.prank(SLASHER);
                (bool done, ) = address(registry).call(
                    abi.encodeCall(R.slash, (named, amount / 4, ANYONE, 0))
                );
                done; // or nothing was left
            } else {
                if (turn == 2) give(owner(0), amount);
                bytes memory data = abi.encodeCall(R.unbond, (named, amount));
                if (turn == 1) data = abi.encodeCall(R.revoke, (named));
                if (turn == 2) data = abi.encodeCall(R.addStake, (named, amount));
                if (turn == 3) data = abi.encodeCall(R.withdraw, (named));
                vm.prank(owner(0));
                (bool done, ) = address(registry).call(data);
                done; // or refused
            }
            holds(operators, start);
            vm.warp(block.timestamp + ((dice >> 200) % UNBONDING));
            vm.roll(block.number + 1);
            holds(operators, start);
        }
    }

    function operator_(uint256 i) internal pure returns (address) {
        return i == 0 ? node(0) : vm.addr(KEY + i);
    }

    function holds(uint256 operators, uint256 start) internal view {
        R.Supernode memory n = registry.supernode(node(0));
        for (uint256 i = 0; i < operators; ++i) {
            bool signs = operator_(i) == n.operator && !n.revoked;
            eq(registry.stakeOf(operator_(i)), signs ? n.active : 0);
            check(registry.stakeAt(operator_(i), block.number - 1) == 0 || signs || i + 2 >= operators);
            eq(keccak256(abi.encode(registry.supernode(operator_(i)))), keccak256(abi.encode(n)));
        }
        eq(token.balanceOf(address(registry)), start + n.active + n.unbonding);
        eq(registry.getVotes(owner(0)), n.active + n.unbonding);
    }
}
