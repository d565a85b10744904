// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { SumProver } from "../../../contracts/provers/SumProver.sol";
import { Proving } from "./Proving.sol";

/// @dev A round of small updates, honest until a test has it lie, and the proofs of it.
abstract contract SumRound is Proving {
    uint8 internal constant AGGREGATE = 0;
    uint8 internal constant CODEC = 1;
    uint8 internal constant PARTS = 2;
    uint256 internal constant BLOCK = 64; // inputs of a part
    uint256 internal constant ABOVE = 14; // siblings of a block
    uint256 internal constant CHUNKS = 2;

    uint8 internal _codec;
    bytes[][] internal _bodies; // by input
    uint32[] internal _weights;
    bytes[] internal _aggregate;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new SumProver(coordinator);
    }

    // An honest round

    function play(uint8 codec, uint256 inputs, uint256 seed) internal {
        _codec = rules.codec = codec;
        (rules.chunks, rules.scoredChunks) = (uint32(CHUNKS), uint32(CHUNKS));
        chain.setRules(rules);
        for (uint256 i = 0; i < inputs; ++i) {
            _weights.push(uint32(draw(seed, i) % ((1 << 20) / inputs + 1)));
            _bodies.push();
            for (uint256 k = 0; k < CHUNKS; ++k) {
                bytes memory leaf = codec == INT8 ? int8Chunk(seed, i, k) : float32Chunk(seed, i, k);
                _bodies[i].push(leaf);
            }
        }
        for (uint256 k = 0; k < CHUNKS; ++k) _aggregate.push(sumOf(k));
        restate();
    }

    /// @dev States the roots of what there is.
    function restate() internal {
        accused.statement.aggregateRoot = rootOf(hashesOf(_aggregate), rules.bodyDepth);
        accused.statement.inputsRoot = rootOf(inputHashes(), ROWS_DEPTH);
    }

    function int8Chunk(uint256 seed, uint256 i, uint256 k) internal pure returns (bytes memory leaf) {
        for (uint256 word = 0; word < 8; ++word)
            leaf = bytes.concat(leaf, bytes32(draw(seed, (i << 32) | (k << 16) | word)));
        for (uint256 j = 0; j < 256; ++j) if (leaf[j] == 0x80) leaf[j] = 0x81;
        uint256 exponents = draw(seed, (i << 32) | (k << 16) | 8);
        leaf = bytes.concat(leaf, bytes4(uint32(exponents) & 0x1f1f1f1f));
    }

    /// @dev Multiples of 2^-32 below 64, zeros of both signs among them.
    function float32Chunk(uint256 seed, uint256 i, uint256 k) internal pure returns (bytes memory leaf) {
        leaf = new bytes(1024);
        for (uint256 j = 0; j < 256; ++j) {
            uint256 chance = draw(seed, (i << 32) | (k << 16) | j);
            uint32 bits = uint32(((95 + (chance % 38)) << 23) | ((chance >> 64) & 0x7fffff));
            uint32 exponent = bits >> 23;
            // what is no multiple of the grid is cut
            if (exponent < 118) bits = (bits >> (118 - exponent)) << (118 - exponent);
            if (chance >> 250 == 0) bits = 0;
            put(leaf, 4 * j, 4, bits | (((chance >> 128) & 1) << 31));
        }
    }

    function sumOf(uint256 k) internal view returns (bytes memory leaf) {
        leaf = new bytes(2048);
        bytes[] memory chunks = new bytes[](_weights.length);
        for (uint256 i = 0; i < chunks.length; ++i) chunks[i] = _bodies[i][k];
        for (uint256 j = 0; j < 256; ++j) {
            int256 sum = 0;
            for (uint256 i = 0; i < chunks.length; ++i)
                sum += int256(uint256(_weights[i])) * valueOf(chunks[i], j);
            put(leaf, 8 * j, 8, uint64(int64(sum)));
        }
    }

    /// @dev The value, by another way than the codec's library.
    function valueOf(bytes memory leaf, uint256 j) internal view returns (int256) {
        if (_codec == INT8)
            return int256(int8(uint8(leaf[j]))) * int256(2 ** uint256(uint8(leaf[256 + j / 64])));
        uint256 bits = 0;
        for (uint256 b = 0; b < 4; ++b) bits = (bits << 8) | uint8(leaf[4 * j + b]);
        uint256 exponent = (bits >> 23) % 256;
        if (exponent == 0) return 0;
        int256 size = int256((((bits % (1 << 23)) + (1 << 23)) * 2 ** exponent) / 2 ** 118);
        return bits >> 31 == 1 ? -size : size;
    }

    function node(uint256 i) internal pure returns (bytes20) {
        return bytes20(uint160(1000 + i));
    }

    function inputHashes() internal view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](_weights.length);
        for (uint256 i = 0; i < _weights.length; ++i) {
            bytes32 body = rootOf(hashesOf(_bodies[i]), rules.bodyDepth);
            hashes[i] = sha256(abi.encodePacked(body, node(i), _weights[i]));
        }
    }

    // Proofs

    function openedInputs(uint256 from, uint256 to, uint256 k) internal view returns (bytes memory proof) {
        for (uint256 i = from; i < to; ++i)
            proof = bytes.concat(proof, node(i), bytes4(_weights[i]), opened(_bodies[i], k, rules.bodyDepth));
    }

    function provePart(uint256 k, uint256 j, uint256 number) internal view returns (bytes memory) {
        return provePart(k, j, 0, number);
    }

    function provePart(
        uint256 k,
        uint256 j,
        int64 pivot,
        uint256 number
    ) internal view returns (bytes memory) {
        uint256 end = (number + 1) * BLOCK < _weights.length ? (number + 1) * BLOCK : _weights.length;
        bytes memory path = pathOf(inputHashes(), number * BLOCK, ROWS_DEPTH);
        bytes memory above = part(path, path.length - 32 * ABOVE, path.length);
        bytes memory place = abi.encodePacked(uint32(k), uint8(j), pivot, uint32(number));
        return bytes.concat(place, openedInputs(number * BLOCK, end, k), above);
    }

    function proveParts(uint256 k, uint256 j, uint256 count) internal view returns (bytes memory) {
        bytes memory absent = pathOf(inputHashes(), count * BLOCK, ROWS_DEPTH);
        bytes memory leaf = opened(_aggregate, k, rules.bodyDepth);
        return abi.encodePacked(uint32(k), uint8(j), leaf, uint32(count), absent);
    }

    function record(bytes memory proof) internal {
        SumProver sums = SumProver(address(prover));
        sums.record(accused.statement.inputsRoot, rules.bodyDepth, _codec, proof);
    }

    function proveSum(uint256 k, uint256 j) internal view returns (bytes memory proof) {
        proof = abi.encodePacked(uint32(k), uint8(j), opened(_aggregate, k, rules.bodyDepth));
        for (uint256 i = 0; i < _weights.length; ++i)
            proof = bytes.concat(proof, node(i), bytes4(_weights[i]), opened(_bodies[i], k, rules.bodyDepth));
    }

    function proveCodec(uint256 i, uint256 k, uint256 j) internal view returns (bytes memory) {
        bytes memory update = abi.encodePacked(node(i), _weights[i], opened(_bodies[i], k, rules.bodyDepth));
        bytes memory path = pathOf(inputHashes(), i, ROWS_DEPTH);
        return abi.encodePacked(uint32(k), uint8(j), uint32(i), update, path);
    }
}
