// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../../contracts/interfaces/IStatements.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { ModelProver } from "../../../contracts/provers/ModelProver.sol";
import { Proving } from "./Proving.sol";

/// @dev A round whose parent moved one value of each chunk, honest until a test has it lie about that.
contract LastStepTest is Proving {
    uint8 private constant LAST_STEP = 2;
    uint64 private constant BEFORE = 1;
    uint256 private constant CHUNKS = 3;
    uint256 private constant SCORED = 2; // the last is only carried
    uint256 private constant PLACE = 5;
    uint32 private constant ONE = 0x3f800000;

    bytes4 private immutable NOT_GUILTY = IProver.NotGuilty.selector;
    bytes4 private immutable BAD_PROOF = IProver.BadProof.selector;

    bytes[] private _former;
    bytes[] private _base;
    bytes[] private _step;
    IRounds.Result private _parent;
    IStatements.Statement private _parentStatement;
    IRounds.Result private _grand;
    IStatements.Statement private _grandStatement;
    bool private _later;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new ModelProver(coordinator);
    }

    function setUp() public override {
        super.setUp();
        accused.result.inputs = 1;
        state.parent = uint32(PARENT);
        for (uint256 k = 0; k < CHUNKS; ++k) {
            _former.push(new bytes(1024));
            _base.push(new bytes(1024));
            if (k < SCORED) _step.push(new bytes(513));
            move(k, 0, ONE, 34, 1 << 14);
        }
    }

    /// @dev Has a chunk's value move from one to another, and states the digit that this is.
    function move(uint256 k, uint32 from, uint32 to, uint8 exponent, int16 digit) private {
        (bytes memory former, bytes memory base) = (_former[k], _base[k]);
        for (uint256 b = 0; b < 4; ++b) {
            former[4 * PLACE + b] = bytes1(uint8(from >> (8 * b)));
            base[4 * PLACE + b] = bytes1(uint8(to >> (8 * b)));
        }
        (_former[k], _base[k]) = (former, base);
        if (k < SCORED) {
            bytes memory step = _step[k];
            put(step, 2 * PLACE, 2, uint16(digit));
            step[512] = bytes1(exponent);
            _step[k] = step;
        }
        restate();
    }

    function restate() private {
        (rules.chunks, rules.scoredChunks) = (uint32(CHUNKS), uint32(SCORED));
        bytes32 former = rootOf(hashesOf(_former), rules.bodyDepth);
        rules.baseModelRoot = _later ? bytes32("another") : former;
        chain.setRules(rules);
        _parentStatement.modelRoot = rootOf(hashesOf(_base), rules.bodyDepth);
        _parent.statement = keccak256(abi.encode(_parentStatement));
        _grandStatement.modelRoot = former;
        _grand.statement = keccak256(abi.encode(_grandStatement));
        chain.setRound(ROUND, state);
        IRounds.Round memory round;
        round.resultHash = keccak256(abi.encode(_grand));
        chain.setRound(BEFORE, round);
        round.resultHash = keccak256(abi.encode(_parent));
        round.parent = _later ? uint32(BEFORE) : 0;
        chain.setRound(PARENT, round);
        accused.statement.stepRoot = rootOf(hashesOf(_step), rules.bodyDepth);
    }

    function parents() private view returns (bytes memory shown) {
        shown = bytes.concat(abi.encode(_parent), abi.encode(_parentStatement));
        if (_later) shown = bytes.concat(shown, abi.encode(_grand), abi.encode(_grandStatement));
    }

    function prove(uint256 k) private view returns (bytes memory) {
        bytes memory models = bytes.concat(
            opened(_base, k, rules.bodyDepth),
            opened(_former, k, rules.bodyDepth)
        );
        return bytes.concat(abi.encodePacked(uint32(k)), parents(), models);
    }

    function proveWithLeaf(uint256 k) private view returns (bytes memory) {
        return bytes.concat(prove(k), opened(_step, k, rules.bodyDepth));
    }

    function test_last_step__as_the_models_moved__not_guilty() public {
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        refuses(LAST_STEP, proveWithLeaf(1), NOT_GUILTY);
        _later = true;
        restate();
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        refusesLike(LAST_STEP, proveWithLeaf(0), 700, 1);
    }

    function test_last_step__stated_as_none__convicts() public {
        accused.statement.stepRoot = 0;
        convicts(LAST_STEP, prove(0));
        refusesLike(LAST_STEP, prove(0), 1500, 1);
        refuses(LAST_STEP, proveWithLeaf(0), BAD_PROOF);
    }

    function test_last_step__another_digit_or_exponent__convicts_at_that_chunk() public {
        move(1, 0, ONE, 34, (1 << 14) - 1);
        convicts(LAST_STEP, proveWithLeaf(1));
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(1, 0, ONE, 33, 1 << 14);
        convicts(LAST_STEP, proveWithLeaf(1));
        move(1, ONE, 0, 34, -(1 << 14));
        refuses(LAST_STEP, proveWithLeaf(1), NOT_GUILTY);
        move(1, ONE, 0, 34, 1 << 14);
        convicts(LAST_STEP, proveWithLeaf(1));
    }

    function test_last_step__least_and_largest_moves__as_they_round() public {
        move(0, 0, 0x27800000, 0, 1); // 2^-48
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0, 0x27000000, 0, 0); // half of that, rounded to even
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0, 0x27000001, 0, 1);
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0x80000001, 0x00000001, 0, 0); // subnormals
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0x80000000, 0, 0, 0);
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0x33800000, 0x3f800001, 34, 1 << 14); // 2^-24, 1 + 2^-23: to even
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0, 0x467ffc00, 47, 32766); // 16,383
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
    }

    function test_last_step__nothing_moved__none_or_zeros() public {
        for (uint256 k = 0; k < CHUNKS; ++k) move(k, ONE, ONE, 0, 0);
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        accused.statement.stepRoot = 0;
        refuses(LAST_STEP, prove(0), NOT_GUILTY);
    }

    function test_last_step__move_that_no_gradient_has__convicts_nobody() public {
        move(0, 0, 0x46800000, 47, 1); // 16,384
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0, 0x5f800000, 47, 1); // 2^64
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0, 0x64000000, 47, 1); // 2^73
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
        move(0, 0x7f800000, 0, 47, 1);
        refuses(LAST_STEP, proveWithLeaf(0), NOT_GUILTY);
    }

    function test_last_step__leaf_too_many_missing_or_of_another_length__convicts() public {
        _step.push(new bytes(513));
        restate();
        bytes memory beyond = abi.encodePacked(uint32(SCORED), parents());
        convicts(LAST_STEP, bytes.concat(beyond, opened(_step, SCORED, rules.bodyDepth)));
        _step.pop();
        restate();
        bytes memory path = pathOf(hashesOf(_step), SCORED, rules.bodyDepth);
        refuses(LAST_STEP, bytes.concat(beyond, path), NOT_GUILTY);
        accused.statement.stepRoot = 0;
        refuses(LAST_STEP, beyond, NOT_GUILTY);
        bytes memory short = _step[1];
        _step[1] = part(short, 0, 512);
        restate();
        convicts(LAST_STEP, proveWithLeaf(1));
        _step.pop();
        restate();
        path = pathOf(hashesOf(_step), 1, rules.bodyDepth);
        convicts(LAST_STEP, bytes.concat(prove(1), path));
        refuses(LAST_STEP, prove(1), BAD_PROOF); // without siblings
    }

    function test_last_step__of_a_round_without_inputs__must_be_none() public {
        accused.result.inputs = 0;
        bytes memory proof = abi.encodePacked(uint32(0), parents());
        convicts(LAST_STEP, proof);
        accused.statement.stepRoot = 0;
        refuses(LAST_STEP, proof, NOT_GUILTY);
    }

    function test_last_step__of_a_first_round__must_be_none() public {
        state.parent = 0;
        chain.setRound(ROUND, state);
        convicts(LAST_STEP, abi.encodePacked(uint32(0)));
        accused.statement.stepRoot = 0;
        refuses(LAST_STEP, abi.encodePacked(uint32(0)), NOT_GUILTY);
    }
}
