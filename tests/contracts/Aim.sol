// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Accounts } from "./Accounts.sol";
import { Books } from "./Books.sol";

/// @dev Two tasks with four Supernodes, and what the handler aims with: the rounds and Supernodes that a call can succeed
/// for, chance, and the trees of a result.
abstract contract Aim is Books {
    uint256 internal constant COUNT = 4;
    address internal constant SLASHER = address(0x51a);

    function setUp() public virtual override {
        super.setUp();
        registerKey(key(3), STAKE);
        for (uint256 i = 0; i < COUNT; ++i) give(owner(i), 1000 ether);
        vm.prank(DAO);
        registry.setSlasher(SLASHER, true);
        ITasks.TaskRules memory r = rules();
        r.admittedOnly = true;
        r.quorum = 1;
        tasks = [task, create(r, 24 ether)];
        books[task].funded = 1000 ether;
        books[task].next = rules();
        books[task].members = (1 << NODES) - 1;
        books[tasks[1]].funded = 24 ether;
        books[tasks[1]].next = r;
        books[tasks[1]].members = (1 << COUNT) - 1;
        for (uint256 i = 0; i < COUNT; ++i) {
            vm.prank(DAO);
            coordinator.admit(tasks[1], owner(i), true);
            vm.prank(owner(i));
            coordinator.join(tasks[1], node(i));
        }
        skip(1);
    }

    /// @dev Returns whether a round in flight has other rules than this one.
    function besideOthers(uint64 round) internal view returns (bool) {
        bytes32 own = keccak256(abi.encode(book().rules[round]));
        while (--round != 0) {
            if (phase(round) >= IRounds.Phase.Finalized) continue;
            if (keccak256(abi.encode(book().rules[round])) != own) return true;
        }
        return false;
    }

    function last() internal view returns (uint64) {
        return coordinator.taskOf(task).lastRound;
    }

    // Which round, and whose turn

    /// @dev Returns a round that the call is meant for; now and then, or where there is none, any of the last three.
    function pick(
        uint256 seed,
        function(uint64) view returns (bool) isMeant
    ) internal view returns (uint64 round) {
        uint64 newest = last();
        uint256 dice = mix(seed, 99);
        if (newest != 0 && dice % 8 != 0) {
            uint64 start = uint64((dice >> 8) % newest);
            for (uint64 i = 0; i < newest; ++i) {
                round = 1 + ((start + i) % newest);
                if (isMeant(round)) return round;
            }
        }
        return newest < 3 ? newest : newest - uint64((dice >> 8) % 3);
    }

    /// @dev Returns the first Supernode from number `i` on that the call is meant for; where there is none, number `i`.
    function first(uint256 i, function(uint256) view returns (bool) isMeant) internal view returns (uint256) {
        for (uint256 k = 0; k < COUNT; ++k)
            if (isMeant(((i % COUNT) + k) % COUNT)) return ((i % COUNT) + k) % COUNT;
        return i % COUNT;
    }

    /// @dev Returns the first Supernode from number `i` on whose commit of the round is not on chain.
    function uncommitted(uint64 round, uint256 i) internal view returns (uint256) {
        uint256 done = book().forced[round];
        i %= COUNT;
        for (uint256 k = 0; k < COUNT && done & (1 << i) != 0; ++k) i = (i + 1) % COUNT;
        return i;
    }

    function isInProgress(uint64 round) internal view returns (bool) {
        IRounds.Phase at = phase(round);
        return at == IRounds.Phase.Open || at == IRounds.Phase.Closed;
    }

    function isPosted(uint64 round) internal view returns (bool) {
        return phase(round) == IRounds.Phase.Posted;
    }

    /// @dev Whether a later result may have been built on it.
    function isBuiltOn(uint64 round) internal view returns (bool) {
        return isPosted(round) && round < head();
    }

    function isFrozen(uint64 round) internal view returns (bool) {
        return phase(round) == IRounds.Phase.Frozen;
    }

    function isStanding(uint64 round) internal view returns (bool) {
        return isPosted(round) || isFrozen(round);
    }

    function isVoidWithParent(uint64 round) internal view returns (bool) {
        return isStanding(round) && isOrphan(round);
    }

    /// @dev Whether the round that it builds on is void.
    function isOrphan(uint64 round) internal view returns (bool) {
        return phase(coordinator.roundOf(task, round).parent) == IRounds.Phase.Void;
    }

    /// @dev Whether a round that it builds on is void: its parent, or one further back.
    function isOnVoid(uint64 round) internal view returns (bool) {
        for (; round != 0; round = coordinator.roundOf(task, round).parent) {
            if (isOrphan(round)) return true;
        }
        return false;
    }

    function isRipe(uint64 round) internal view returns (bool) {
        return isPosted(round) && coordinator.roundOf(task, round).parent == book().active;
    }

    function isOutside(uint256 i) internal view returns (bool) {
        return book().members & (1 << i) == 0;
    }

    function isInside(uint256 i) internal view returns (bool) {
        return !isOutside(i);
    }

    /// @dev Whether it may still commit to the round in progress, though it has left.
    function isOnItsWayOut(uint256 i) internal view returns (bool) {
        return isOutside(i) && book().eligible[last()] & ~book().forced[last()] & (1 << i) != 0;
    }

    function isPoor(uint256 i) internal view returns (bool) {
        return !isOutside(i) && registry.stakeOf(node(i)) < book().next.minStake;
    }

    function isLeaving(uint256 i) internal view returns (bool) {
        return registry.supernode(node(i)).unbonding != 0;
    }

    function isOwed(uint256 i) internal view returns (bool) {
        return book().posted[book().active].amounts[i] > distributor.claimedOf(task, owner(i));
    }

    /// @dev Stakes what the Superlink needs for the bonds of both tasks.
    function coverBonds() internal {
        uint256 stake_ = registry.stakeOf(superlink);
        uint256 bonds = coordinator.bondsOf(superlink);
        if (stake_ >= bonds) return;
        uint256 amount = Math.max(bonds - stake_, MINIMUM);
        give(ownerOf(SUPERLINK_KEY), amount);
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.addStake(superlink, amount);
    }

    function vote(bool allowed) internal {
        vm.prank(DAO);
        disputes.setProver(address(prover), allowed);
        ballots.push(Ballot(block.timestamp, allowed));
        reach(allowed ? Path.ProverVotedIn : Path.ProverVotedOut);
    }

    // Chance

    /// @dev Returns another number for each salt, so that a small seed, or zero, decides as much as a large one.
    function mix(uint256 seed, uint256 salt) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, salt)));
    }

    /// @dev A period of up to twice the usual one, or now and then a hundred times that.
    function vary(uint256 seed, uint256 salt, uint32 usual) internal pure returns (uint32) {
        uint256 dice = mix(seed, salt);
        return uint32((1 + ((dice >> 8) % (2 * uint256(usual)))) * (dice % 32 == 0 ? 100 : 1));
    }

    /// @dev Lets time pass to this moment, or now and then to the second before.
    function skipTo(uint256 time, uint256 dice) internal {
        if (dice % 4 == 0) --time;
        if (block.timestamp < time) skip(time - block.timestamp);
    }

    function odd(uint256 seed) internal pure returns (bool) {
        return seed & 1 == 1;
    }

    function bits(uint256 set) internal pure returns (uint256 count) {
        for (; set != 0; set >>= 1) count += set & 1;
    }

    /// @dev The leaves of a tree that pays these sums.
    function leavesOf(uint256[4] memory amounts) internal pure returns (bytes[] memory leaves) {
        leaves = new bytes[](COUNT);
        uint256 total;
        for (uint256 i = 0; i < COUNT; ++i) {
            total += amounts[i];
            leaves[i] = Accounts.leaf(owner(i), amounts[i], total);
        }
    }
}
