// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { SumProver } from "../../../contracts/provers/SumProver.sol";
import { SumRound } from "./SumRound.sol";

/// @dev Sums and updates that lie convict, honest ones do not.
contract SumProverTest is SumRound {
    // Sums

    function testFuzz_sum__honest_round__no_value_convicts(
        uint256 seed,
        uint8 inputs,
        uint8 k,
        uint8 j,
        bool float32_
    ) public {
        play(float32_ ? FLOAT32 : INT8, inputs % 3, seed);
        refuses(AGGREGATE, proveSum(k % CHUNKS, j), IProver.NotGuilty.selector);
        refusesLike(AGGREGATE, proveSum(k % CHUNKS, j), seed, uint8(seed >> 200) | 1);
        if (_weights.length == 0) return;
        bytes memory proof = proveCodec(seed % _weights.length, k % CHUNKS, j);
        refuses(CODEC, proof, IProver.NotGuilty.selector);
        refusesLike(CODEC, proof, seed, uint8(seed >> 200) | 1);
    }

    function testFuzz_sum__honest_round_any_bytes__never_convicted(uint8 claim, bytes memory proof) public {
        play(INT8, 2, 1);
        (bool done, ) = accuse(claim, proof);
        require(!done, "convicted");
    }

    function testFuzz_sum__one_value_wrong__that_value_alone_convicts(
        uint256 seed,
        uint8 j,
        uint64 change,
        bool float32_
    ) public {
        play(float32_ ? FLOAT32 : INT8, 2, seed);
        bytes memory leaf = _aggregate[1];
        for (uint256 b = 0; b < 8; ++b) leaf[8 * uint256(j) + b] ^= bytes8(change | 1)[b];
        _aggregate[1] = leaf;
        restate();
        convicts(AGGREGATE, proveSum(1, j));
        refuses(AGGREGATE, proveSum(1, uint8(uint256(j) + 1)), IProver.NotGuilty.selector);
        refuses(AGGREGATE, proveSum(0, j), IProver.NotGuilty.selector);
        accused.statement.aggregateRoot = bytes32(uint256(1));
        refuses(AGGREGATE, proveSum(1, j), IProver.BadProof.selector);
    }

    function test_sum__an_input_left_out_or_once_more__is_no_proof() public {
        play(INT8, 3, 5);
        bytes memory proof = proveSum(0, 0);
        uint256 each = 24 + 260 + 32 * 3;
        uint256 last = proof.length - each;
        refuses(AGGREGATE, part(proof, 0, last), IProver.BadProof.selector);
        bytes memory twice = bytes.concat(proof, part(proof, last, proof.length));
        refuses(AGGREGATE, twice, IProver.BadProof.selector);
        refuses(AGGREGATE, bytes.concat(proof, "x"), IProver.BadProof.selector);
    }

    function test_sum__leaf_of_a_chunk_beyond_the_tree__is_no_proof() public {
        play(INT8, 1, 5);
        bytes memory proof = proveSum(0, 0);
        proof[3] = 0x08; // 0 again, for one who counts the siblings' bits alone
        refuses(AGGREGATE, proof, IProver.BadProof.selector);
    }

    function test_sum__no_inputs__anything_but_zero_convicts() public {
        play(INT8, 0, 5);
        refuses(AGGREGATE, proveSum(1, 255), IProver.NotGuilty.selector);
        bytes memory leaf = _aggregate[1];
        leaf[2047] = 0x01;
        _aggregate[1] = leaf;
        restate();
        convicts(AGGREGATE, proveSum(1, 255));
    }

    function test_sum__largest_values__fit() public {
        play(INT8, 2, 9);
        bytes memory leaf = new bytes(260);
        for (uint256 j = 0; j < 256; ++j) leaf[j] = 0x81; // -127
        for (uint256 b = 256; b < 260; ++b) leaf[b] = 0x1f;
        (_weights[0], _weights[1]) = (1 << 19, 1 << 19);
        (_bodies[0][0], _bodies[1][0]) = (leaf, leaf);
        _aggregate[0] = sumOf(0);
        restate();
        refuses(AGGREGATE, proveSum(0, 200), IProver.NotGuilty.selector);
    }

    // Codecs

    function breakInt8(uint256 place, bytes1 byte_) private {
        play(INT8, 2, 3);
        bytes memory leaf = _bodies[1][1];
        leaf[place] = byte_;
        _bodies[1][1] = leaf;
        restate();
    }

    function test_codec__int8_of_minus_128__convicts() public {
        breakInt8(77, 0x80);
        convicts(CODEC, proveCodec(1, 1, 77));
        refuses(CODEC, proveCodec(1, 1, 78), IProver.NotGuilty.selector);
        refuses(CODEC, proveCodec(0, 1, 77), IProver.NotGuilty.selector);
        // whatever the aggregate says of it
        convicts(AGGREGATE, proveSum(1, 77));
    }

    function test_codec__int8_exponent_above_31__convicts_by_each_value_of_its_block() public {
        breakInt8(258, 0x20);
        convicts(CODEC, proveCodec(1, 1, 128));
        convicts(CODEC, proveCodec(1, 1, 191));
        refuses(CODEC, proveCodec(1, 1, 127), IProver.NotGuilty.selector);
        refuses(CODEC, proveCodec(1, 1, 192), IProver.NotGuilty.selector);
        convicts(AGGREGATE, proveSum(1, 128));
    }

    function test_codec__int8_largest_of_exponents__convicts() public {
        breakInt8(256, 0xff);
        convicts(AGGREGATE, proveSum(1, 0));
        convicts(CODEC, proveCodec(1, 1, 0));
    }

    function checkFloat32(uint32 bits, bool valid) private {
        bytes memory leaf = _bodies[0][0];
        for (uint256 b = 0; b < 4; ++b) leaf[4 * 9 + b] = bytes4(bits)[b];
        _bodies[0][0] = leaf;
        restate();
        if (valid) refuses(CODEC, proveCodec(0, 0, 9), IProver.NotGuilty.selector);
        else convicts(CODEC, proveCodec(0, 0, 9));
        convicts(AGGREGATE, proveSum(0, 9)); // of which no value was stated
    }

    function test_codec__float32__takes_multiples_of_the_grid_below_64_alone() public {
        play(FLOAT32, 1, 3);
        _weights[0] = 1;
        bytes memory leaf = _aggregate[0];
        leaf[8 * 9] = 0x7f;
        _aggregate[0] = leaf;
        checkFloat32(0x00000000, true);
        checkFloat32(0x80000000, true);
        checkFloat32(0x2f800000, true); // 2^-32
        checkFloat32(0xaf800000, true);
        checkFloat32(0x2f800001, false); // and a little more
        checkFloat32(0x2fc00000, false); // 1.5 * 2^-32
        checkFloat32(0x30400000, true); // 3 * 2^-32
        checkFloat32(0x2f000000, false); // 2^-33
        checkFloat32(0x00000001, false); // subnormal
        checkFloat32(0x00800000, false); // least normal
        checkFloat32(0x427fffff, true); // the last below 64
        checkFloat32(0xc27fffff, true);
        checkFloat32(0x42800000, false); // 64
        checkFloat32(0xc2800000, false);
        checkFloat32(0x7f7fffff, false); // the largest
        checkFloat32(0x7f800000, false); // infinity
        checkFloat32(0x7fc00000, false); // no number
    }

    function test_codec__of_another_input_or_chunk__is_no_proof() public {
        breakInt8(77, 0x80);
        bytes memory proof = proveCodec(1, 1, 77);
        proof[8] = 0x00; // as input 0
        refuses(CODEC, proof, IProver.BadProof.selector);
        proof = proveCodec(1, 1, 77);
        proof[3] = 0x00; // as chunk 0
        refuses(CODEC, proof, IProver.BadProof.selector);
        proof = proveCodec(1, 1, 77);
        proof[6] = 0x10; // beyond 2^20
        refuses(CODEC, proof, IProver.BadProof.selector);
    }

    // Parts

    function recordRefuses(bytes memory proof) private {
        bytes32 root = accused.statement.inputsRoot;
        bytes memory data = abi.encodeCall(SumProver.record, (root, rules.bodyDepth, _codec, proof));
        (bool done, bytes memory answer) = address(prover).call(data);
        require(!done, "recorded");
        require(bytes4(answer) == IProver.BadProof.selector, "refused with another error");
    }

    function lieAt(uint256 k, uint256 j) private {
        bytes memory leaf = _aggregate[k];
        leaf[8 * j + 7] ^= 0x01;
        _aggregate[k] = leaf;
        accused.statement.aggregateRoot = rootOf(hashesOf(_aggregate), rules.bodyDepth);
    }

    function test_parts__one_block__counts_once_it_is_recorded() public {
        play(FLOAT32, 2, 4);
        refuses(PARTS, proveParts(1, 9, 1), IProver.BadProof.selector);
        record(provePart(1, 9, 0));
        record(provePart(1, 9, 0)); // is the same
        refuses(PARTS, proveParts(1, 9, 1), IProver.NotGuilty.selector);
        refusesLike(PARTS, proveParts(1, 9, 1), 2100, 1);
        refuses(PARTS, proveParts(1, 8, 1), IProver.BadProof.selector);
        refuses(PARTS, proveParts(0, 9, 1), IProver.BadProof.selector);
        lieAt(1, 9);
        convicts(PARTS, proveParts(1, 9, 1));
        // a leaf at the end of no block is one too many
        refuses(PARTS, proveParts(1, 9, 0), IProver.BadProof.selector);
        accused.statement.inputsRoot = bytes32(uint256(1));
        refuses(PARTS, proveParts(1, 9, 1), IProver.BadProof.selector);
    }

    function test_parts__no_inputs__need_no_record() public {
        play(INT8, 0, 4);
        refuses(PARTS, proveParts(1, 9, 0), IProver.NotGuilty.selector);
        record(provePart(1, 9, 0));
        refuses(PARTS, proveParts(1, 9, 1), IProver.NotGuilty.selector);
        lieAt(1, 9);
        convicts(PARTS, proveParts(1, 9, 0));
    }

    function test_parts__value_that_is_none__makes_any_sum_wrong() public {
        breakInt8(77, 0x80);
        record(provePart(1, 77, 0));
        record(provePart(1, 78, 0));
        convicts(PARTS, proveParts(1, 77, 1));
        refuses(PARTS, proveParts(1, 78, 1), IProver.NotGuilty.selector);
    }

    function test_parts__more_inputs_than_a_block__add_up() public {
        play(INT8, 1, 4);
        bytes[] memory body = _bodies[0];
        _weights[0] = 1;
        while (_weights.length < BLOCK + 2) {
            _weights.push(uint32(_weights.length));
            _bodies.push();
            for (uint256 k = 0; k < CHUNKS; ++k) _bodies[_bodies.length - 1].push(body[k]);
        }
        _aggregate[1] = sumOf(1);
        restate();
        record(provePart(1, 5, 0));
        refuses(PARTS, proveParts(1, 5, 1), IProver.BadProof.selector);
        refuses(PARTS, proveParts(1, 5, 2), IProver.BadProof.selector);
        record(provePart(1, 5, 1));
        refuses(PARTS, proveParts(1, 5, 2), IProver.NotGuilty.selector);
        refuses(PARTS, proveParts(1, 5, 1), IProver.BadProof.selector);
        lieAt(1, 5);
        convicts(PARTS, proveParts(1, 5, 2));

        // more inputs than a block has are no block
        bytes memory path = pathOf(inputHashes(), 0, ROWS_DEPTH);
        bytes memory above = part(path, path.length - 32 * ABOVE, path.length);
        recordRefuses(
            abi.encodePacked(uint32(1), uint8(5), int64(0), uint32(0), openedInputs(0, BLOCK + 1, 1), above)
        );
    }

    function test_record__what_is_not_in_the_tree__refused() public {
        play(INT8, 2, 4);
        bytes memory proof = provePart(1, 5, 0);
        recordRefuses(bytes.concat(proof, "x"));
        recordRefuses(part(proof, 0, proof.length - 1));
        recordRefuses(part(proof, 0, 17 + 32 * ABOVE - 1));
        for (uint256 at = 0; at < proof.length; at += 61) {
            if (at == 4) continue; // another value is another record
            proof[at] ^= 0x20;
            recordRefuses(proof);
            proof[at] ^= 0x20;
        }
        proof[14] = 0x01; // block 2^16: the bits of 0 for one who counts the siblings' alone
        recordRefuses(proof);
    }

    // Claims

    function test_claims__unknown_one_and_unknown_codec__have_no_shape() public {
        play(INT8, 1, 3);
        refuses(3, proveSum(0, 0), IProver.BadShape.selector);
        rules.codec = 3;
        chain.setRules(rules);
        refuses(AGGREGATE, proveSum(0, 0), IProver.BadShape.selector);
        require(SumProver(address(prover)).coordinator() == ITrainingCoordinator(address(chain)));
    }
}
