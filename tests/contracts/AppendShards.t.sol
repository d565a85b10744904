// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";

import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { BodyTree } from "./BodyTree.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev A task whose shards are a real tree goes on with more of them.
contract AppendShardsTest is RoundCalls {
    uint256 private constant DEPTH = 16;

    function leaves(uint256 count) private pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) hashes[i] = sha256(abi.encode("shard", i));
    }

    function rootOf(uint256 count) private pure returns (bytes32 root) {
        (root, ) = BodyTree.open(leaves(count), 0, DEPTH);
    }

    /// @dev Has a task with so many shards.
    function begin(uint256 count) private {
        ITasks.TaskRules memory r = rules();
        (r.shards, r.validationRoot) = (uint32(count), rootOf(count));
        task = create(r, 0);
    }

    /// @dev The call that appends to `before` shards, so that there are `count`.
    function appendCall(uint256 before, uint256 count) private view returns (bytes memory) {
        bytes32[] memory hashes = leaves(count);
        (, bytes32[] memory path) = BodyTree.open(hashes, before, DEPTH);
        return abi.encodeCall(ITasks.appendShards, (task, uint32(count), hashes[before], path));
    }

    function badShards(bytes memory data, string memory what) private {
        refuses(DAO, data, abi.encodeWithSelector(ITasks.BadRules.selector, what));
    }

    function call(bytes memory data) private {
        vm.prank(DAO);
        (bool done, ) = address(coordinator).call(data);
        require(done, "refused");
    }

    function testFuzz_append__any_numbers__root_over_all(uint256 before, uint256 more) public {
        before = (before % 20) + 1;
        uint256 count = before + (more % 20) + 1;
        begin(before);
        ITasks.TaskRules memory r = coordinator.rulesOf(task);
        (r.shards, r.validationRoot) = (uint32(count), rootOf(count));
        vm.expectEmit();
        emit ITasks.RulesChanged(task, 2, r);
        call(appendCall(before, count));
        require(keccak256(abi.encode(coordinator.rulesOf(task))) == keccak256(abi.encode(r)), "rules");
        // and once more, on what is there now
        call(appendCall(count, count + 1));
        eq(coordinator.rulesOf(task).validationRoot, rootOf(count + 1));
    }

    function test_append__a_round_is_open__it_keeps_its_own() public {
        ITasks.TaskRules memory r = rules();
        (r.shards, r.validationRoot) = (3, rootOf(3));
        task = create(r, 1000 ether);
        for (uint256 i = 0; i < NODES; ++i) join(i);
        uint64 round = open();
        call(appendCall(3, 7));
        eq(coordinator.rulesOfRound(task, round).shards, 3);
        eq(coordinator.rulesOf(task).shards, 7);
    }

    function test_append__another_old_tree__refused() public {
        begin(5);
        bytes32[] memory hashes = leaves(9);
        hashes[1] = "another";
        (, bytes32[] memory path) = BodyTree.open(hashes, 5, DEPTH);
        badShards(abi.encodeCall(ITasks.appendShards, (task, 9, hashes[5], path)), "validationRoot");
        // as if it had fewer or more than it has
        badShards(appendCall(4, 9), "validationRoot");
        badShards(appendCall(6, 9), "validationRoot");
    }

    function test_append__no_more_shards_or_too_many__refused() public {
        begin(5);
        (, bytes32[] memory path) = BodyTree.open(leaves(9), 5, DEPTH);
        badShards(abi.encodeCall(ITasks.appendShards, (task, 5, bytes32("leaf"), path)), "shards");
        badShards(abi.encodeCall(ITasks.appendShards, (task, 65_537, bytes32("leaf"), path)), "shards");
        badShards(abi.encodeCall(ITasks.appendShards, (task, 6, bytes32(0), path)), "validationRoot");
        bytes32[] memory short = new bytes32[](DEPTH - 1);
        badShards(abi.encodeCall(ITasks.appendShards, (task, 6, bytes32("leaf"), short)), "validationRoot");
    }

    function test_append__not_the_dao_or_a_closed_task__refused() public {
        begin(2);
        bytes memory data = appendCall(2, 3);
        refuses(ANYONE, data, abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ANYONE));
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
        refuses(DAO, data, abi.encodeWithSelector(ITasks.TaskIsClosed.selector, task));
    }
}
