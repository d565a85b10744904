// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { ISupernodeRegistry } from "../../contracts/interfaces/ISupernodeRegistry.sol";
import { Aim } from "./Aim.sol";

/// @dev The handler's calls about time and stake.
abstract contract Stakers is Aim {
    mapping(uint256 i => uint256) private unbondedAt; // when a Supernode's stake was last unbonded

    // Time

    function wait(uint256 seed) external {
        uint256[7] memory times = [uint256(1), 10, REVEAL, COMMIT, COMMIT + RESULT, CHALLENGE, RESOLVE];
        skip(times[mix(seed, 0) % 7]);
    }

    // Stake

    function stake(uint256 i, uint256 amount) external {
        vm.prank(owner(i % COUNT));
        registry.addStake(node(i % COUNT), amount % 300 ether);
        reach(Path.Staked);
    }

    function registerAnother(uint256 i, uint256 salt) external {
        address to = owner(i % COUNT);
        uint256 operatorKey = key(COUNT + (salt % 4));
        bytes memory signature = operatorSignature(to, vm.addr(operatorKey), operatorKey);
        vm.prank(to);
        registry.register(vm.addr(operatorKey), MINIMUM, signature);
        reach(Path.Registered);
    }

    function unbond(uint256 i, uint256 amount) external {
        uint256 active = registry.stakeOf(node(i % COUNT));
        vm.prank(owner(i % COUNT));
        registry.unbond(node(i % COUNT), amount % 8 == 0 ? active : amount % (1 + active / 8));
        unbondedAt[i % COUNT] = block.timestamp;
        reach(Path.Unbonded);
    }

    /// @dev Mostly of stake that is unbonded only now, and now and then of more in two parts, too early or in time.
    function withdraw(uint256 i, uint256 late) external {
        i = first(i, isLeaving);
        if (!isLeaving(i)) tryUnbond(i, mix(late, 1));
        if (mix(late, 2) % 4 == 0) {
            skip(UNBONDING / 2);
            tryUnbond(i, mix(late, 3));
        }
        if (odd(late) && isLeaving(i)) skip(mix(late, 4) % 4 == 0 ? UNBONDING / 2 : UNBONDING);
        uint256 left = token.balanceOf(owner(i)) + registry.supernode(node(i)).unbonding;
        registry.withdraw(node(i));
        holds(token.balanceOf(owner(i)) == left && block.timestamp >= unbondedAt[i] + UNBONDING);
        reach(Path.Withdrawn);
    }

    function tryUnbond(uint256 i, uint256 amount) private {
        try this.unbond(i, amount) {} catch {}
    }

    /// @dev Active stake goes first, half at most is paid out, and the rest is burned.
    function slash(uint256 i, uint256 amount, uint256 paid) external {
        amount %= amount % 8 == 0 ? 2000 ether : 20 ether;
        if (odd(mix(paid, 1))) i = first(i, isLeaving);
        ISupernodeRegistry.Supernode memory s = registry.supernode(node(i % COUNT));
        (uint256 fortune, uint256 supply) = (token.balanceOf(ANYONE), token.totalSupply());
        vm.prank(SLASHER);
        registry.slash(node(i % COUNT), amount, ANYONE, paid % 20 ether);
        uint256 slashed = Math.min(amount, uint256(s.active) + s.unbonding);
        uint256 fromActive = Math.min(amount, s.active);
        paid = Math.min(paid % 20 ether, slashed / 2);
        ISupernodeRegistry.Supernode memory left = registry.supernode(node(i % COUNT));
        holds(left.active == s.active - fromActive);
        holds(left.unbonding == s.unbonding - (slashed - fromActive));
        holds(token.balanceOf(ANYONE) == fortune + paid && token.totalSupply() == supply + paid - slashed);
        reach(Path.Slashed);
    }

    function delegate(uint256 i, uint256 to) external {
        vm.prank(owner(i % COUNT));
        registry.delegate(owner(to % COUNT));
        reach(Path.Delegated);
    }

    function pause(uint256 seed) public {
        bool tasks_ = seed & 1 == 0;
        bool paused = tasks_ ? coordinator.paused() : registry.paused();
        if (!paused && seed % 16 > 1) return;
        vm.prank(DAO);
        if (tasks_) paused ? coordinator.unpause() : coordinator.pause();
        else paused ? registry.unpause() : registry.pause();
        reach(paused ? Path.Unpaused : Path.Paused);
    }
}
