// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../../contracts/interfaces/IStatements.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { Float } from "../../../contracts/provers/Float.sol";
import { ModelProver } from "../../../contracts/provers/ModelProver.sol";
import { Proving } from "./Proving.sol";

/// @dev A round of small models, honest until a test has it lie.
contract ModelProverTest is Proving {
    uint8 private constant MODEL = 0;
    uint8 private constant STEP = 1;
    uint256 private constant CHUNKS = 2;

    bytes[] private _base;
    bytes[] private _aggregate;
    bytes[] private _step; // int8
    bytes[] private _model;
    IRounds.Result private _parent;
    IStatements.Statement private _parentStatement;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new ModelProver(coordinator);
    }

    // An honest round

    function play(uint256 seed, uint32 weightSum, bool child) private {
        accused.result.weightSum = weightSum;
        for (uint256 k = 0; k < CHUNKS; ++k) {
            (bytes memory base, bytes memory total) = (new bytes(1024), new bytes(2048));
            (bytes memory model, int256[] memory sums) = (new bytes(1024), new int256[](256));
            // a few values of each chunk, the others are the padding's zeros
            for (uint256 j = k; j < 256; j += 37) {
                uint256 chance = draw(seed, (k << 8) | j);
                putFloat(base, j, uint32(chance) & 0xbfffffff);
                int256 largest = int256(uint256(weightSum)) * (127 << 31);
                sums[j] = int256(int64(uint64(chance >> 64)) >> (uint8(chance >> 192) % 64)) % (largest + 1);
                put(total, 8 * j, 8, uint64(int64(sums[j])));
            }
            bytes memory step = encode(sums, weightSum);
            for (uint256 j = k; j < 256; j += 37) {
                int256 q = int256(int8(uint8(step[j]))) << uint8(step[256 + j / 64]);
                putFloat(model, j, Float.move(floatAt(base, j), q));
            }
            _base.push(base);
            _aggregate.push(total);
            _step.push(step);
            _model.push(model);
        }
        state.parent = child ? uint32(PARENT) : 0;
        chain.setRound(ROUND, state);
        restate();
    }

    /// @dev Encodes a chunk word for word as docs/protocol.md has it.
    function encode(int256[] memory sums, uint32 weightSum) private pure returns (bytes memory leaf) {
        leaf = new bytes(260);
        for (uint256 b = 0; b < 4; ++b) {
            int256 largest = 0;
            for (uint256 j = 64 * b; j < 64 * (b + 1); ++j) {
                sums[j] = nearest(sums[j], weightSum == 0 ? int256(1) : int256(uint256(weightSum)));
                if (sums[j] > largest) largest = sums[j];
                if (-sums[j] > largest) largest = -sums[j];
            }
            uint256 exponent = 0;
            while (nearest(largest, int256(1) << exponent) > 127) ++exponent;
            leaf[256 + b] = bytes1(uint8(exponent));
            for (uint256 j = 64 * b; j < 64 * (b + 1); ++j)
                if (sums[j] != 0) leaf[j] = bytes1(uint8(int8(nearest(sums[j], int256(1) << exponent))));
        }
    }

    function nearest(int256 value, int256 divisor) private pure returns (int256 quotient) {
        quotient = value / divisor;
        int256 rest = 2 * (value - quotient * divisor);
        if (rest > divisor || (rest == divisor && quotient % 2 != 0)) return quotient + 1;
        if (rest < -divisor || (rest == -divisor && quotient % 2 != 0)) return quotient - 1;
    }

    function putFloat(bytes memory leaf, uint256 j, uint32 bits) private pure {
        for (uint256 b = 0; b < 4; ++b) leaf[4 * j + b] = bytes1(uint8(bits >> (8 * b)));
    }

    function floatAt(bytes memory leaf, uint256 j) private pure returns (uint32 bits) {
        for (uint256 b = 0; b < 4; ++b) bits |= uint32(uint8(leaf[4 * j + b])) << uint32(8 * b);
    }

    /// @dev States the roots of what there is.
    function restate() private {
        accused.statement.aggregateRoot = rootOf(hashesOf(_aggregate), rules.bodyDepth);
        accused.statement.newStepRoot = rootOf(hashesOf(_step), rules.bodyDepth);
        accused.statement.modelRoot = rootOf(hashesOf(_model), rules.bodyDepth);
        bytes32 base = rootOf(hashesOf(_base), rules.bodyDepth);
        rules.baseModelRoot = state.parent == 0 ? base : bytes32("another");
        chain.setRules(rules);
        _parentStatement.modelRoot = base;
        _parentStatement.rows = 5;
        _parent.statement = keccak256(abi.encode(_parentStatement));
        _parent.rewardTotal = 9;
        IRounds.Round memory parent;
        parent.resultHash = keccak256(abi.encode(_parent));
        chain.setRound(PARENT, parent);
    }

    function prove(uint256 k, uint256 j) private view returns (bytes memory) {
        bytes memory opened_ = bytes.concat(
            opened(_step, k, rules.bodyDepth),
            opened(_model, k, rules.bodyDepth)
        );
        if (state.parent != 0)
            opened_ = bytes.concat(opened_, abi.encode(_parent), abi.encode(_parentStatement));
        return abi.encodePacked(uint32(k), uint8(j), opened_, opened(_base, k, rules.bodyDepth));
    }

    function proveStep(uint256 k, uint256 j) private view returns (bytes memory) {
        bytes memory sums = opened(_aggregate, k, rules.bodyDepth);
        return abi.encodePacked(uint32(k), uint8(j), sums, opened(_step, k, rules.bodyDepth));
    }

    function lieInStep(uint256 k, uint256 j, bytes1 change) private {
        bytes memory leaf = _step[k];
        leaf[j] ^= change;
        _step[k] = leaf;
        restate();
    }

    function lie(uint256 k, uint256 j, uint32 bits) private {
        bytes memory leaf = _model[k];
        putFloat(leaf, j, bits);
        _model[k] = leaf;
        restate();
    }

    function testFuzz_model__honest_round__no_value_convicts(
        uint256 seed,
        uint32 weightSum,
        bool child,
        uint8 k,
        uint8 j
    ) public {
        play(seed, seed % 8 == 0 ? 0 : weightSum % ((1 << 20) + 1), child);
        bytes memory proof = prove(k % CHUNKS, j);
        refuses(MODEL, proof, IProver.NotGuilty.selector);
        refusesLike(MODEL, proof, seed, uint8(seed >> 200) | 1);
        proof = proveStep(k % CHUNKS, j);
        refuses(STEP, proof, IProver.NotGuilty.selector);
        refusesLike(STEP, proof, seed, uint8(seed >> 200) | 1);
    }

    function testFuzz_model__any_bytes__never_convicted(uint8 claim, bytes memory proof, bool child) public {
        play(1, 1, child);
        (bool done, ) = accuse(claim, proof);
        require(!done, "convicted");
    }

    function testFuzz_model__one_bit_wrong__that_value_alone_convicts(
        uint256 seed,
        uint8 j,
        uint8 bit,
        bool child
    ) public {
        play(seed, 1 << 20, child);
        lie(1, j, floatAt(_model[1], j) ^ (uint32(1) << (bit % 32)));
        convicts(MODEL, prove(1, j));
        refuses(MODEL, prove(1, uint8(uint256(j) + 1)), IProver.NotGuilty.selector);
        refuses(MODEL, prove(0, j), IProver.NotGuilty.selector);
        accused.statement.modelRoot = bytes32(uint256(1));
        refuses(MODEL, prove(1, j), IProver.BadProof.selector);
    }

    function testFuzz_step__one_bit_wrong__that_value_alone_convicts(
        uint256 seed,
        uint8 j,
        uint8 bit,
        bool child
    ) public {
        play(seed, 1 << 20, child);
        lieInStep(1, j, bytes1(uint8(1) << (bit % 8)));
        convicts(STEP, proveStep(1, j));
        refuses(STEP, proveStep(1, uint8(uint256(j) + 1)), IProver.NotGuilty.selector);
        refuses(STEP, proveStep(0, j), IProver.NotGuilty.selector);
        accused.statement.newStepRoot = bytes32(uint256(1));
        refuses(STEP, proveStep(1, j), IProver.BadProof.selector);
        refuses(MODEL, prove(1, j), IProver.BadProof.selector);
    }

    function test_step__another_exponent__convicts_at_each_value_of_its_block() public {
        play(3, 5, false);
        lieInStep(0, 257, 0x01);
        convicts(STEP, proveStep(0, 64));
        convicts(STEP, proveStep(0, 127));
        refuses(STEP, proveStep(0, 63), IProver.NotGuilty.selector);
        refuses(STEP, proveStep(0, 128), IProver.NotGuilty.selector);
    }

    function test_model__step_that_no_decoder_takes__convicts() public {
        play(3, 5, true);
        bytes1 digit = _step[0][1];
        lieInStep(0, 1, digit ^ 0x80); // -128
        convicts(MODEL, prove(0, 1));
        lieInStep(0, 1, digit ^ 0x80);
        refuses(MODEL, prove(0, 1), IProver.NotGuilty.selector);
        lieInStep(0, 256, 0x20); // an exponent above 31
        convicts(MODEL, prove(0, 1));
    }

    function test_model__nobody_weighs_anything__the_base_stays() public {
        play(3, 0, false);
        lie(0, 37, floatAt(_base[0], 37) ^ 1);
        convicts(MODEL, prove(0, 37));
    }

    function test_model__a_zero_with_a_sign__convicts() public {
        play(3, 5, true);
        refuses(MODEL, prove(1, 2), IProver.NotGuilty.selector);
        lie(1, 2, 1 << 31);
        convicts(MODEL, prove(1, 2));
    }

    function test_model__base_that_is_not_finite__convicts_nobody() public {
        play(3, 5, false);
        bytes memory leaf = _base[0];
        putFloat(leaf, 0, 0x7f800000);
        _base[0] = leaf;
        lie(0, 0, 0x7fc00000);
        refuses(MODEL, prove(0, 0), IProver.NotGuilty.selector);
    }

    function test_model__another_parent_than_the_rounds__is_no_proof() public {
        play(3, 5, true);
        lie(0, 0, floatAt(_model[0], 0) ^ 1);
        bytes memory proof = prove(0, 0);
        convicts(MODEL, proof);
        _parent.rewardTotal = 8;
        refuses(MODEL, prove(0, 0), IProver.BadProof.selector);
        _parent.rewardTotal = 9;
        _parentStatement.rows = 4;
        refuses(MODEL, prove(0, 0), IProver.BadProof.selector);
        state.parent = 0;
        chain.setRound(ROUND, state);
        refuses(MODEL, proof, IProver.BadProof.selector);
    }

    function test_claims__unknown_one__has_no_shape() public {
        play(3, 5, false);
        refuses(3, prove(0, 0), IProver.BadShape.selector);
    }
}
