// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import { DaoToken } from "../../contracts/DaoToken.sol";
import { IRewardDistributor as D } from "../../contracts/interfaces/IRewardDistributor.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RewardDistributor } from "../../contracts/RewardDistributor.sol";
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

    function list(bytes32 a) internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](1);
        proof[0] = a;
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
        bytes32 bob = distributor.leaf(task, BOB, 1 ether);
        activate(pair(distributor.leaf(task, ALICE, 3 ether), bob), 9 ether);
        close();
        skip(365 days);
        distributor.claim(task, ALICE, 3 ether, list(bob));
        vm.expectEmit();
        emit D.Recovered(task, DAO, 6 ether);
        uint256 before = token.balanceOf(DAO);
        vm.prank(DAO);
        eq(distributor.recoverUnclaimed(task, DAO), 6 ether);
        eq(token.balanceOf(DAO), before + 6 ether);
        eq(token.balanceOf(address(distributor)), 0);
        bytes32 alice = distributor.leaf(task, ALICE, 3 ether);
        no(
            ANYONE,
            abi.encodeCall(D.claim, (task, BOB, 1 ether, list(alice))),
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
        activate(distributor.leaf(task, ALICE, paid), total + 1);
        distributor.claim(task, ALICE, paid, new bytes32[](0));
        close();
        skip(365 days);
        if (paid == total + 1) return no_recovery(abi.encodeWithSelector(D.ZeroAmount.selector));
        vm.prank(DAO);
        eq(distributor.recoverUnclaimed(task, BOB), total + 1 - paid);
        eq(token.balanceOf(address(distributor)), 7 ether);
    }

    // Claim

    function test_claim__cumulative__pays_the_difference_once() public {
        bytes32 bob = distributor.leaf(task, BOB, 1 ether);
        activate(pair(distributor.leaf(task, ALICE, 3 ether), bob), 4 ether);
        vm.expectEmit();
        emit D.Claimed(task, ALICE, 3 ether, 3 ether);
        vm.prank(ANYONE);
        distributor.claim(task, ALICE, 3 ether, list(bob));
        eq(token.balanceOf(ALICE), 3 ether);
        no(
            ANYONE,
            abi.encodeCall(D.claim, (task, ALICE, 3 ether, list(bob))),
            abi.encodeWithSelector(D.NothingToClaim.selector, task, ALICE)
        );

        activate(pair(distributor.leaf(task, ALICE, 5 ether), bob), 6 ether);
        distributor.claim(task, ALICE, 5 ether, list(bob));
        eq(token.balanceOf(ALICE), 5 ether);
        eq(distributor.claimedOf(task, ALICE), 5 ether);
        no(
            ANYONE,
            abi.encodeCall(D.claim, (task, ALICE, 3 ether, list(bob))),
            abi.encodeWithSelector(D.NothingToClaim.selector, task, ALICE)
        );
    }

    function test_claim__roots_that_came_meanwhile__pays_what_the_older_root_promises() public {
        bytes32 bob = distributor.leaf(task, BOB, 1 ether);
        bytes32 root = pair(distributor.leaf(task, ALICE, 3 ether), bob);
        activate(root, 4 ether);
        for (uint256 i = 1; i < ROOTS; ++i) activate(bytes32(i), 4 ether + i);
        check(distributor.isRecent(task, root));
        distributor.claim(task, ALICE, 3 ether, list(bob));
        eq(token.balanceOf(ALICE), 3 ether);

        activate(pair(distributor.leaf(task, ALICE, 5 ether), bob), 6 ether);
        distributor.claim(task, ALICE, 5 ether, list(bob));
        eq(token.balanceOf(ALICE), 5 ether);
        // the first root made room
        check(!distributor.isRecent(task, root));
        no(
            ANYONE,
            abi.encodeCall(D.claim, (task, ALICE, 3 ether, list(bob))),
            abi.encodeWithSelector(D.BadProof.selector, task, ALICE, 3 ether)
        );
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
        for (uint256 i = 1; i <= 5; ++i) activate(distributor.leaf(task, ALICE, i * 1 ether), i * 1 ether);
        for (uint256 k = 0; k < 8; ++k) {
            uint256 i = 1 + ((dice >> (8 * k)) % 5);
            bytes memory data = abi.encodeCall(D.claim, (task, ALICE, i * 1 ether, new bytes32[](0)));
            (bool done, ) = address(distributor).call(data);
            check(done == (i > most));
            if (i > most) most = i;
            eq(token.balanceOf(ALICE), most * 1 ether);
        }
        check(most * 1 ether <= distributor.totalOf(task));
    }

    function test_claim__bad_proof__refused() public {
        bytes32 alice = distributor.leaf(task, ALICE, 3 ether);
        bytes32 bob = distributor.leaf(task, BOB, 1 ether);
        activate(pair(alice, bob), 4 ether);
        no(
            ANYONE,
            abi.encodeCall(D.claim, (task, BOB, 3 ether, list(bob))),
            abi.encodeWithSelector(D.BadProof.selector, task, BOB, 3 ether)
        );
        no(
            ANYONE,
            abi.encodeCall(D.claim, (task + 1, ALICE, 3 ether, list(bob))),
            abi.encodeWithSelector(D.BadProof.selector, task + 1, ALICE, 3 ether)
        );
    }

    function test_claim__leaves_above_the_total__refused() public {
        bytes32 bob = distributor.leaf(task, BOB, 600 ether);
        bytes32 alice = distributor.leaf(task, ALICE, 600 ether);
        activate(pair(alice, bob), 1000 ether);
        distributor.claim(task, ALICE, 600 ether, list(bob));
        no(
            ANYONE,
            abi.encodeCall(D.claim, (task, BOB, 600 ether, list(alice))),
            abi.encodeWithSelector(D.ExceedsEscrow.selector, task, 1200 ether, 1000 ether)
        );
    }

    function test_claim__paused_and_closed__pays() public {
        bytes32 bob = distributor.leaf(task, BOB, 1 ether);
        activate(bob, 1 ether);
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
        vm.prank(DAO);
        coordinator.pause();
        distributor.claim(task, BOB, 1 ether, new bytes32[](0));
        eq(token.balanceOf(BOB), 1 ether);
        eq(token.balanceOf(address(distributor)), 0);
    }

    /// @dev An inner node never passes for a leaf, whatever is claimed for it.
    function testFuzz_claim__inner_node_as_leaf__refused(
        address owner_,
        uint256 amount,
        bytes32 sibling
    ) public {
        bytes32 inner = pair(distributor.leaf(task, ALICE, 1), distributor.leaf(task, BOB, 1));
        activate(pair(inner, sibling), 1000 ether);
        no(
            ANYONE,
            abi.encodeCall(D.claim, (task, owner_, amount, list(sibling))),
            abi.encodeWithSelector(D.BadProof.selector, task, owner_, amount)
        );
    }

    /// @dev However a root's leaves and total are chosen, a task pays no more than was promised and funded.
    function testFuzz_claim__any_leaves__within_escrow(uint128 a, uint128 b, uint256 total) public {
        bytes32 alice = distributor.leaf(task, ALICE, a);
        bytes32 bob = distributor.leaf(task, BOB, b);
        total %= 1000 ether + 1;
        activate(pair(alice, bob), total);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(D.claim, (task, ALICE, a, list(bob)));
        calls[1] = abi.encodeCall(D.claim, (task, BOB, b, list(alice)));
        for (uint256 i = 0; i < 2; ++i) {
            (bool done, ) = address(distributor).call(calls[i]);
            check(done || i == 0 || distributor.claimedOf(task, ALICE) + b > total || b == 0);
        }
        check(token.balanceOf(ALICE) + token.balanceOf(BOB) <= total);
        eq(token.balanceOf(ALICE), distributor.claimedOf(task, ALICE));
    }

    function test_leaf__any__is_hashed_twice_and_bound() public view {
        bytes32 once = keccak256(abi.encode(block.chainid, address(distributor), task, ALICE, 5));
        eq(distributor.leaf(task, ALICE, 5), keccak256(abi.encodePacked(once)));
    }
}
