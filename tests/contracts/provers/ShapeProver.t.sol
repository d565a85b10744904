// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { ShapeProver } from "../../../contracts/provers/ShapeProver.sol";
import { Proving } from "./Proving.sol";

/// @dev A round whose trees are as they should be, until a test adds, drops or lengthens a leaf.
contract ShapeProverTest is Proving {
    uint8 private constant UPDATE = 0;
    uint8 private constant INPUTS = 5;
    uint8 private constant ROWS = 6;
    uint8 private constant ACCOUNTS = 7;
    uint8 private constant STEP = 8;
    uint8 private constant CLAIMS = 9;
    uint32 private constant CHUNKS = 3;
    uint256 private constant INPUT_COUNT = 2;

    bytes[][9] private _trees; // by claim; the update is that of input 1

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new ShapeProver(coordinator);
    }

    function setUp() public override {
        super.setUp();
        (rules.chunks, rules.scoredChunks) = (CHUNKS, CHUNKS);
        chain.setRules(rules);
        uint256[5] memory sizes = [uint256(260), 2048, 1024, 513, 513];
        for (uint256 k = 0; k < CHUNKS; ++k)
            for (uint256 claim = 0; claim < 5; ++claim)
                _trees[claim].push(abi.encodePacked(claim, k, new bytes(sizes[claim] - 64)));
        for (uint256 k = 0; k < CHUNKS; ++k)
            _trees[STEP].push(abi.encodePacked("step", k, new bytes(260 - 36)));
        for (uint256 i = 0; i < 3; ++i) {
            _trees[ROWS].push(abi.encodePacked(i, new bytes(455 - 32)));
            _trees[ACCOUNTS].push(abi.encodePacked(i, new bytes(72 - 32)));
        }
        accused.result.inputs = uint32(INPUT_COUNT);
        (accused.statement.rows, accused.statement.accounts) = (3, 3);
        restate();
    }

    function test_gradients__of_the_carried_chunks_too__convict() public {
        rules.scoredChunks = CHUNKS - 1;
        chain.setRules(rules);
        for (uint8 claim = 3; claim < 5; ++claim) {
            bytes memory last = opened(_trees[claim], CHUNKS - 1, rules.bodyDepth);
            convicts(claim, bytes.concat(bytes4(CHUNKS - 1), last));
            bytes memory before = opened(_trees[claim], CHUNKS - 2, rules.bodyDepth);
            refuses(claim, bytes.concat(bytes4(CHUNKS - 2), before), IProver.NotGuilty.selector);
        }
    }

    function restate() private {
        bytes32 body = rootOf(hashesOf(_trees[UPDATE]), rules.bodyDepth);
        if (_trees[INPUTS].length == 0) {
            _trees[INPUTS].push(
                abi.encodePacked("another body, of all 32 bytes   ", bytes24("node, weight"))
            );
            _trees[INPUTS].push();
        }
        _trees[INPUTS][1] = abi.encodePacked(body, bytes24("node and weight"));
        accused.statement.aggregateRoot = rootOf(hashesOf(_trees[1]), rules.bodyDepth);
        accused.statement.modelRoot = rootOf(hashesOf(_trees[2]), rules.bodyDepth);
        accused.statement.gateRoot = rootOf(hashesOf(_trees[3]), rules.bodyDepth);
        accused.statement.gradientRoot = rootOf(hashesOf(_trees[4]), rules.bodyDepth);
        accused.statement.newStepRoot = rootOf(hashesOf(_trees[STEP]), rules.bodyDepth);
        accused.statement.rowsRoot = rootOf(hashesOf(_trees[ROWS]), ROWS_DEPTH);
        accused.result.accountsRoot = rootOf(hashesOf(_trees[ACCOUNTS]), ROWS_DEPTH);
        accused.statement.inputsRoot = rootOf(hashesOf(_trees[INPUTS]), ROWS_DEPTH);
    }

    function isOfRows(uint8 claim) private pure returns (bool) {
        return claim >= INPUTS && claim != STEP;
    }

    function prove(uint8 claim, uint256 index) private view returns (bytes memory) {
        bytes[] memory leaves = _trees[claim];
        bytes memory leaf = index < leaves.length ? leaves[index] : bytes("");
        bytes memory path = pathOf(hashesOf(leaves), index, isOfRows(claim) ? ROWS_DEPTH : rules.bodyDepth);
        bytes memory head;
        if (claim == UPDATE) head = abi.encodePacked(uint32(1), opened(_trees[INPUTS], 1, ROWS_DEPTH));
        return abi.encodePacked(head, uint32(index), leaf, path);
    }

    function testFuzz_honest__any_leaf_of_any_tree__not_guilty(
        uint8 claim,
        uint8 index,
        uint256 place,
        uint8 change
    ) public view {
        claim %= CLAIMS;
        bytes memory proof = prove(claim, index % 8);
        refuses(claim, proof, IProver.NotGuilty.selector);
        refusesLike(claim, proof, place, change | 1);
    }

    function testFuzz_honest__any_bytes__never_convicted(uint8 claim, bytes memory proof) public view {
        (bool done, ) = accuse(claim, proof);
        require(!done, "convicted");
    }

    function test_each_tree__a_leaf_too_many__convicts() public {
        for (uint8 claim = 0; claim < CLAIMS; ++claim) {
            uint256 index = _trees[claim].length;
            _trees[claim].push(_trees[claim][0]);
            restate();
            convicts(claim, prove(claim, index));
            refuses(claim, prove(claim, 0), IProver.NotGuilty.selector);
            _trees[claim].pop();
        }
    }

    function test_each_tree__a_leaf_missing__convicts() public {
        for (uint8 claim = 0; claim < CLAIMS; ++claim) {
            if (isOfRows(claim)) continue;
            bytes memory last = _trees[claim][CHUNKS - 1];
            _trees[claim].pop();
            restate();
            convicts(claim, prove(claim, CHUNKS - 1));
            _trees[claim].push(last);
        }
        restate();
        accused.result.inputs = 3;
        convicts(INPUTS, prove(INPUTS, 2));
        accused.result.inputs = 1;
        convicts(INPUTS, prove(INPUTS, 1));
        accused.statement.rows = 4;
        convicts(ROWS, prove(ROWS, 3));
        accused.statement.accounts = 2;
        convicts(ACCOUNTS, prove(ACCOUNTS, 2));
    }

    function test_each_tree__a_leaf_of_another_length__convicts() public {
        for (uint8 claim = 0; claim < CLAIMS; ++claim) {
            if (isOfRows(claim)) continue;
            bytes memory leaf = _trees[claim][1];
            _trees[claim][1] = bytes.concat(leaf, "x");
            restate();
            convicts(claim, prove(claim, 1));
            _trees[claim][1] = part(leaf, 0, leaf.length - 1);
            restate();
            convicts(claim, prove(claim, 1));
            _trees[claim][1] = leaf;
        }
    }

    function test_update__of_the_codec_float32__has_other_leaves() public {
        rules.codec = FLOAT32;
        chain.setRules(rules);
        convicts(UPDATE, prove(UPDATE, 0));
        convicts(STEP, prove(STEP, 0));
    }

    /// @dev Three chunks are one leaf of 117 bytes, and a step has a leaf of int8 for each.
    function test_update__of_the_codec_topk__has_one_leaf_and_its_step_three() public {
        rules.codec = TOPK;
        chain.setRules(rules);
        refuses(STEP, prove(STEP, 0), IProver.NotGuilty.selector);
        convicts(UPDATE, prove(UPDATE, 0));
        convicts(UPDATE, prove(UPDATE, 1));
        while (_trees[UPDATE].length > 1) _trees[UPDATE].pop();
        _trees[UPDATE][0] = new bytes(117);
        restate();
        refuses(UPDATE, prove(UPDATE, 0), IProver.NotGuilty.selector);
        refuses(UPDATE, prove(UPDATE, 1), IProver.NotGuilty.selector);
    }

    function test_gradient__a_round_without_one__convicts_nobody() public {
        accused.statement.gradientRoot = 0;
        refuses(4, prove(4, 0), IProver.BadProof.selector);
    }

    function test_claims__unknown_one_or_cut__refused() public view {
        refuses(CLAIMS, prove(1, 0), IProver.BadShape.selector);
        refuses(1, abi.encodePacked(uint32(0), new bytes(95)), IProver.BadProof.selector);
    }
}
