// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import { DaoToken } from "../../contracts/DaoToken.sol";
import { IRewardDistributor as D } from "../../contracts/interfaces/IRewardDistributor.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RewardDistributor } from "../../contracts/RewardDistributor.sol";
import { Accounts } from "./Accounts.sol";
import { Base } from "./Base.sol";

contract RewardDistributorTest is Base {
    address internal constant ALICE = address(0xa1);
    address internal constant BOB = address(0xb0);
    uint256 internal constant ROOTS = 64;

    function no(address sender, bytes memory data, bytes memory expected) internal {
        refuses(sender, address(distributor), data, expected);
    }

    function activate(bytes32 root, uint256 total) internal {
        vm.prank(address(coordinator));
        distributor.activate(task, root, total);
    }

    /// @dev The leaves of a tree that pays these two.
    function two(uint256 alice, uint256 bob) internal pure returns (bytes[] memory leaves) {
        leaves = new bytes[](2);
        leaves[0] = Accounts.leaf(ALICE, alice, alice);
        leaves[1] = Accounts.leaf(BOB, bob, alice + bob);
    }

    function activate(bytes[] memory leaves, uint256 total) internal {
        activate(Accounts.rootOf(leaves), total);
    }

    function claimCall(bytes[] memory leaves, uint256 index) internal view returns (bytes memory) {
        return Accounts.claimCall(task, leaves, index);
    }

    function claim(bytes[] memory leaves, uint256 index) internal {
        vm.prank(ANYONE);
        (bool done, ) = address(distributor).call(claimCall(leaves, index));
        check(done);
    }

    function badProof() internal view returns (bytes memory) {
        return abi.encodeWithSelector(D.BadProof.selector, task);
    }

    // Fund

    function test_fund__anyone__adds() public {
        give(ANYONE, 7);
        vm.prank(ANYONE);
        token.approve(address(distributor), 7);
        vm.expectEmit();
        emit D.Funded(task, ANYONE, 7);
        vm.prank(ANYONE);
        distributor.fund(task, 7);
        eq(distributor.fundedOf(task), 1000 ether + 7);
        eq(distributor.availableOf(task), 1000 ether + 7);
        eq(token.balanceOf(address(distributor)), 1000 ether + 7);
    }

    function test_fund__wrong__refused() public {
        no(DAO, abi.encodeCall(D.fund, (task, 0)), abi.encodeWithSelector(D.ZeroAmount.selector));
        no(DAO, abi.encodeCall(D.fund, (9, 1)), abi.encodeWithSelector(ITasks.UnknownTask.selector, 9));
        uint256 large = 1 << 64;
        no(
            DAO,
            abi.encodeCall(D.fund, (large, 1)),
            abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 64, large)
        );
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
        no(
            DAO,
            abi.encodeCall(D.fund, (task, 1)),
            abi.encodeWithSelector(ITasks.TaskIsClosed.selector, task)
        );
    }

    function test_coordinator__anyone_else__refused() public {
        bytes memory expected = abi.encodeWithSelector(D.NotCoordinator.selector, DAO);
        no(DAO, abi.encodeCall(D.fundFrom, (DAO, task, 1)), expected);
        no(DAO, abi.encodeCall(D.activate, (task, bytes32(0), 0)), expected);
        no(DAO, abi.encodeCall(D.refund, (task, DAO)), expected);
    }

    // Activate and refund

    function test_activate__root__promises_its_total() public {
        vm.expectEmit();
        emit D.Activated(task, 30 ether);
        activate(keccak256("root"), 30 ether);
        eq(distributor.rootOf(task), keccak256("root"));
        eq(distributor.totalOf(task), 30 ether);
        eq(distributor.availableOf(task), 970 ether);
    }

    function test_activate__wrong_total__refused() public {
        activate(keccak256("root"), 30 ether);
        no(
            address(coordinator),
            abi.encodeCall(D.activate, (task, bytes32(0), 30 ether - 1)),
            abi.encodeWithSelector(D.TotalDecreased.selector, task, 30 ether - 1, 30 ether)
        );
        no(
            address(coordinator),
            abi.encodeCall(D.activate, (task, bytes32(0), 1000 ether + 1)),
            abi.encodeWithSelector(D.ExceedsEscrow.selector, task, 1000 ether + 1, 1000 ether)
        );
    }

    function test_refund__some_promised__returns_the_rest() public {
        activate(keccak256("root"), 30 ether);
        vm.expectEmit();
        emit D.Refunded(task, BOB, 970 ether);
        vm.prank(address(coordinator));
        eq(distributor.refund(task, BOB), 970 ether);
        eq(token.balanceOf(BOB), 970 ether);
        eq(distributor.fundedOf(task), 30 ether);
        vm.prank(address(coordinator));
        eq(distributor.refund(task, BOB), 0);
    }

    // Recover

    function no_recovery(bytes memory expected) internal {
        no(DAO, abi.encodeCall(D.recoverUnclaimed, (task, BOB)), expected);
    }

    function close() internal {
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
    }

    function test_recover__a_year_after_close__returns_what_nobody_claimed() public {
        bytes[] memory leaves = two(3 ether, 1 ether);
        activate(leaves, 9 ether);
        close();
        skip(365 days);
        claim(leaves, 0);
        vm.expectEmit();
        emit D.Recovered(task, DAO, 6 ether);
        uint256 before = token.balanceOf(DAO);
        vm.prank(DAO);
        eq(distributor.recoverUnclaimed(task, DAO), 6 ether);
        eq(token.balanceOf(DAO), before + 6 ether);
        eq(token.balanceOf(address(distributor)), 0);
        no(
            ANYONE,
            claimCall(leaves, 1),
            abi.encodeWithSelector(D.ExceedsEscrow.selector, task, 10 ether, 9 ether)
        );
        no_recovery(abi.encodeWithSelector(D.ZeroAmount.selector));
    }

    function test_recover__too_early__refused() public {
        activate(keccak256("root"), 1000 ether);
        no_recovery(abi.encodeWithSelector(D.TaskNotClosed.selector, task));
        // nothing is refunded, but the year begins
        close();
        uint256 from = block.timestamp + 365 days;
        vm.warp(from - 1);
        no_recovery(abi.encodeWithSelector(D.StillClaimable.selector, task, from));
        vm.warp(from);
        vm.prank(DAO);
        eq(distributor.recoverUnclaimed(task, BOB), 1000 ether);
        eq(token.balanceOf(BOB), 1000 ether);
    }

    function test_recover__anyone_else__refused() public {
        no(
            ANYONE,
            abi.encodeCall(D.recoverUnclaimed, (task, ANYONE)),
            abi.encodeWithSelector(D.NotDao.selector, ANYONE)
        );
    }

    /// @dev Other tasks' tokens stay, whatever a task promised and paid.
    function testFuzz_recover__beside_another_task__takes_its_own_alone(uint256 total, uint256 paid) public {
        uint64 closed = task;
        task = create(rules(), 7 ether);
        task = closed;
        total %= 1000 ether;
        paid = 1 + (paid % (total + 1));
        activate(Accounts.list(ALICE, paid), total + 1);
        claim(Accounts.list(ALICE, paid), 0);
        close();
        skip(365 days);
        if (paid == total + 1) return no_recovery(abi.encodeWithSelector(D.ZeroAmount.selector));
        vm.prank(DAO);
        eq(distributor.recoverUnclaimed(task, BOB), total + 1 - paid);
        eq(token.balanceOf(address(distributor)), 7 ether);
    }

    // Claim

    function test_claim__cumulative__pays_the_difference_once() public {
        bytes[] memory leaves = two(3 ether, 1 ether);
        bytes memory nothing = abi.encodeWithSelector(D.NothingToClaim.selector, task, ALICE);
        activate(leaves, 4 ether);
        vm.expectEmit();
        emit D.Claimed(task, ALICE, 3 ether, 3 ether);
        claim(leaves, 0);
        eq(token.balanceOf(ALICE), 3 ether);
        no(ANYONE, claimCall(leaves, 0), nothing);

        activate(two(5 ether, 1 ether), 6 ether);
        claim(two(5 ether, 1 ether), 0);
        eq(token.balanceOf(ALICE), 5 ether);
        eq(distributor.claimedOf(task, ALICE), 5 ether);
        no(ANYONE, claimCall(leaves, 0), nothing);
    }

    function test_claim__roots_that_came_meanwhile__pays_what_the_older_root_promises() public {
        bytes[] memory leaves = two(3 ether, 1 ether);
        activate(leaves, 4 ether);
        for (uint256 i = 1; i < ROOTS; ++i) activate(bytes32(i), 4 ether + i);
        check(distributor.isRecent(task, Accounts.rootOf(leaves)));
        claim(leaves, 0);
        eq(token.balanceOf(ALICE), 3 ether);

        activate(two(5 ether, 1 ether), 6 ether);
        claim(two(5 ether, 1 ether), 0);
        eq(token.balanceOf(ALICE), 5 ether);
        // the first root made room
        check(!distributor.isRecent(task, Accounts.rootOf(leaves)));
        no(ANYONE, claimCall(leaves, 0), badProof());
    }

    function test_root__none_yet__nothing_passes_for_one() public view {
        eq(distributor.rootOf(task), bytes32(0));
        check(!distributor.isRecent(task, bytes32(0)));
        check(!distributor.isRecent(task, bytes32(uint256(1))));
    }

    /// @dev However many roots there were, the newest 64 pay and no other, and the newest is the one that `rootOf` names.
    function testFuzz_root__any_number__the_newest_64_pay(uint256 number) public {
        number = 1 + (number % (3 * ROOTS));
        for (uint256 i = 1; i <= number; ++i) activate(keccak256(abi.encode(i)), i);
        eq(distributor.rootOf(task), keccak256(abi.encode(number)));
        for (uint256 i = 1; i <= number; ++i) {
            check(distributor.isRecent(task, keccak256(abi.encode(i))) == (i + ROOTS > number));
        }
    }

    /// @dev In whatever order proofs of older and newer roots come, each owner gets the most that one promised it, once.
    function testFuzz_claim__proofs_in_any_order__each_reward_is_paid_once(uint256 dice) public {
        uint256 most;
        for (uint256 i = 1; i <= 5; ++i) activate(Accounts.list(ALICE, i * 1 ether), i * 1 ether);
        for (uint256 k = 0; k < 8; ++k) {
            uint256 i = 1 + ((dice >> (8 * k)) % 5);
            (bool done, ) = address(distributor).call(claimCall(Accounts.list(ALICE, i * 1 ether), 0));
            check(done == (i > most));
            if (i > most) most = i;
            eq(token.balanceOf(ALICE), most * 1 ether);
        }
        check(most * 1 ether <= distributor.totalOf(task));
    }

    function test_claim__bad_proof__refused() public {
        bytes[] memory leaves = two(3 ether, 1 ether);
        activate(leaves, 4 ether);
        no(ANYONE, claimCall(two(3 ether, 2 ether), 1), badProof());
        (, bytes32[] memory siblings) = Accounts.open(leaves, 0);
        bytes memory leaf = leaves[0];
        wrong(task + 1, leaf, 0, siblings);
        wrong(task, leaf, 1, siblings);
        wrong(task, leaf, 1 << 20, siblings);
        wrong(task, leaf, type(uint256).max << 20, siblings);
        wrong(task, bytes.concat(leaf, hex"00"), 0, siblings);
        wrong(task, "", 0, siblings);
        siblings[19] = keccak256("wrong");
        wrong(task, leaf, 0, siblings);
        claim(leaves, 0);
    }

    /// @dev With fewer or more siblings, even where they lead to the root, an inner node could pass for a leaf.
    function test_claim__another_number_of_siblings__refused() public {
        bytes[] memory leaves = Accounts.list(ALICE, 3 ether);
        (bytes32 root, bytes32[] memory siblings) = Accounts.open(leaves, 0);
        bytes32[] memory more = new bytes32[](21);
        for (uint256 i = 0; i < 20; ++i) more[i] = siblings[i];
        more[20] = keccak256("one above");
        activate(sha256(bytes.concat(root, more[20])), 3 ether);
        activate(sha256(leaves[0]), 3 ether);
        wrong(task, leaves[0], 0, more);
        wrong(task, leaves[0], 0, new bytes32[](0));
    }

    function wrong(uint256 task_, bytes memory leaf, uint256 index, bytes32[] memory siblings) internal {
        bytes memory expected = abi.encodeWithSelector(D.BadProof.selector, task_);
        no(ANYONE, abi.encodeCall(D.claim, (task_, leaf, index, siblings)), expected);
    }

    function test_claim__leaves_above_the_total__refused() public {
        bytes[] memory leaves = two(600 ether, 600 ether);
        activate(leaves, 1000 ether);
        claim(leaves, 0);
        no(
            ANYONE,
            claimCall(leaves, 1),
            abi.encodeWithSelector(D.ExceedsEscrow.selector, task, 1200 ether, 1000 ether)
        );
    }

    function test_claim__paused_and_closed__pays() public {
        activate(Accounts.list(BOB, 1 ether), 1 ether);
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
        vm.prank(DAO);
        coordinator.pause();
        claim(Accounts.list(BOB, 1 ether), 0);
        eq(token.balanceOf(BOB), 1 ether);
        eq(token.balanceOf(address(distributor)), 0);
    }

    /// @dev Anywhere in a tree of any size, a leaf pays at its own index and at no other.
    function testFuzz_claim__any_tree__pays_at_the_leafs_index_alone(uint256 count, uint256 i) public {
        count = 1 + (count % 70);
        i %= count;
        bytes[] memory leaves = new bytes[](count);
        for (uint256 k = 0; k < count; ++k)
            leaves[k] = Accounts.leaf(owner(k), k + 1, ((k + 1) * (k + 2)) / 2);
        activate(leaves, 1 ether);
        (, bytes32[] memory siblings) = Accounts.open(leaves, i);
        wrong(task, leaves[i], i ^ 1, siblings);
        wrong(task, leaves[i], i + (1 << 20), siblings);
        claim(leaves, i);
        eq(token.balanceOf(owner(i)), i + 1);
    }

    /// @dev However a root's leaves and total are chosen, a task pays no more than was promised and funded.
    function testFuzz_claim__any_leaves__within_escrow(uint64 a, uint64 b, uint256 total) public {
        uint256 most = 100 * uint256(type(uint64).max); // of each owner, and of both about what is in escrow
        bytes[] memory leaves = two(100 * uint256(a), 100 * uint256(b));
        total %= Math.min(2 * most, 1000 ether) + 1;
        activate(leaves, total);
        for (uint256 i = 0; i < 2; ++i) {
            (bool done, ) = address(distributor).call(claimCall(leaves, i));
            uint256 due = distributor.claimedOf(task, ALICE) + 100 * uint256(b);
            check(done || i == 0 || due > total || b == 0);
        }
        check(token.balanceOf(ALICE) + token.balanceOf(BOB) <= total);
        eq(token.balanceOf(ALICE), distributor.claimedOf(task, ALICE));
    }
}
