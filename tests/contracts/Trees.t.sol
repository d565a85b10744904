// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Trees } from "../../contracts/Trees.sol";
import { Base } from "./Base.sol";
import { BodyTree } from "./BodyTree.sol";

contract TreesTest is Base {
    uint256 internal constant DEPTH = 20;

    function setUp() public override {}

    // The library's functions, from outside: their arguments are calldata

    function climb(bytes32 hash, uint256 index, bytes32[] calldata siblings) external view returns (bytes32) {
        return Trees.climb(hash, index, siblings);
    }

    function climbBlock(
        bytes32[] memory hashes,
        uint256 height,
        uint256 index,
        bytes32[] calldata siblings
    ) external view returns (bytes32) {
        return Trees.climbBlock(hashes, height, index, siblings);
    }

    function dense(bytes32[] memory hashes, uint256 depth) external view returns (bytes32) {
        bytes memory beside = "what lies behind the hashes stays";
        bytes32 root = Trees.dense(hashes, depth);
        eq(keccak256(beside), keccak256("what lies behind the hashes stays"));
        return root;
    }

    function leafHash(bytes calldata leaf) external pure returns (bytes32) {
        return Trees.leafHash(leaf);
    }

    function hashesOf(uint256 count) internal pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) hashes[i] = sha256(abi.encode(i));
    }

    function slice(
        bytes32[] memory words,
        uint256 start,
        uint256 end
    ) internal pure returns (bytes32[] memory part) {
        part = new bytes32[](end - start);
        for (uint256 i = start; i < end; ++i) part[i - start] = words[i];
    }

    function test_leaf_hash__any__is_sha256() public view {
        eq(this.leafHash(hex"616263"), sha256("abc"));
        eq(this.leafHash(""), sha256(""));
    }

    function testFuzz_climb__any_tree__leads_to_the_root(
        uint256 count,
        uint256 index,
        uint256 depth
    ) public view {
        depth %= 25;
        count = 1 + (count % 40);
        if (count > 1 << depth) count = 1 << depth;
        index %= count;
        (bytes32 root, bytes32[] memory siblings) = BodyTree.open(hashesOf(count), index, depth);
        eq(this.climb(sha256(abi.encode(index)), index, siblings), root);
        if (depth != 0) check(this.climb(sha256(abi.encode(index)), index ^ 1, siblings) != root);
    }

    function testFuzz_climb__index_outside__refused(uint256 index) public {
        if (index >> DEPTH == 0) index += 1 << DEPTH;
        refuses(
            ANYONE,
            address(this),
            abi.encodeCall(this.climb, (0, index, new bytes32[](DEPTH))),
            abi.encodeWithSelector(Trees.IndexOutsideTree.selector, index, DEPTH)
        );
    }

    function testFuzz_dense__any_number_of_leaves__is_the_root(uint256 count, uint256 depth) public view {
        depth %= 25;
        count %= 70;
        if (count > 1 << depth) count = 1 << depth;
        (bytes32 root, ) = BodyTree.open(hashesOf(count), 0, depth);
        eq(this.dense(hashesOf(count), depth), root);
    }

    function test_dense__more_leaves_than_fit__refused() public {
        for (uint256 depth = 0; depth < 3; ++depth) {
            uint256 count = (1 << depth) + 1;
            refuses(
                ANYONE,
                address(this),
                abi.encodeCall(this.dense, (hashesOf(count), depth)),
                abi.encodeWithSelector(Trees.TooManyLeaves.selector, count, depth)
            );
        }
    }

    /// @dev Blocks of any size, the last one of which may be cut short, or empty, lead to the root.
    function testFuzz_climb_block__any__leads_to_the_root(
        uint256 count,
        uint256 height,
        uint256 index
    ) public view {
        count %= 70;
        height %= 7;
        index %= 1 + (count >> height);
        bytes32[] memory all = hashesOf(count);
        uint256 start = index << height;
        uint256 end = (index + 1) << height;
        (bytes32 root, bytes32[] memory siblings) = BodyTree.open(all, start, DEPTH);
        bytes32[] memory some = slice(all, start, end < count ? end : count);
        eq(this.climbBlock(some, height, index, slice(siblings, height, DEPTH)), root);
    }

    /// @dev Whatever gas a caller leaves: the right root, or none.
    function testFuzz_gas__too_little__no_wrong_root(uint256 gas) public view {
        (bytes32 root, bytes32[] memory siblings) = BodyTree.open(hashesOf(33), 7, DEPTH);
        bytes32 leaf = sha256(abi.encode(7));
        gas %= 40_000;
        try this.climb{ gas: gas }(leaf, 7, siblings) returns (bytes32 found) {
            eq(found, root);
        } catch {}
        try this.dense{ gas: gas }(hashesOf(33), DEPTH) returns (bytes32 found) {
            eq(found, root);
        } catch {}
    }
}
