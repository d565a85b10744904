// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { SumRound } from "./SumRound.sol";

/// @dev Behind the scored chunks, the aggregate is a median times the sum of weights: what lies convicts.
contract CarriedSumsTest is SumRound {
    uint256 private constant CARRIED = 1; // the chunk

    function carry(uint256 inputs, uint256 seed) private {
        play(INT8, inputs, seed);
        rules.scoredChunks = 1;
        chain.setRules(rules);
        accused.result.weightSum = uint32(all() + 5); // some were clipped
        bytes memory leaf = new bytes(2048);
        for (uint256 j = 0; j < 256; ++j) put(leaf, 8 * j, 8, uint64(int64(medianAt(j) * weightSum())));
        _aggregate[CARRIED] = leaf;
        restate();
    }

    function all() private view returns (uint256 sum) {
        for (uint256 i = 0; i < _weights.length; ++i) sum += _weights[i];
    }

    function weightSum() private view returns (int256) {
        return int256(uint256(accused.result.weightSum));
    }

    function valueAt(uint256 i, uint256 j) private view returns (int256) {
        return valueOf(_bodies[i][CARRIED], j);
    }

    /// @dev The least value at which the weights up to it reach half, by trying each.
    function medianAt(uint256 j) private view returns (int256 least) {
        bool found = false;
        for (uint256 i = 0; i < _weights.length; ++i) {
            int256 value = valueAt(i, j);
            uint256 upTo = 0;
            for (uint256 other = 0; other < _weights.length; ++other)
                if (valueAt(other, j) <= value) upTo += _weights[other];
            if (2 * upTo < all() || upTo == 0 || (found && value >= least)) continue;
            (found, least) = (true, value);
        }
    }

    function state_(uint256 j, int256 value) private {
        bytes memory leaf = _aggregate[CARRIED];
        put(leaf, 8 * j, 8, uint64(int64(value)));
        _aggregate[CARRIED] = leaf;
        restate();
    }

    function testFuzz_carried__honest_round__no_value_convicts(uint256 seed, uint8 inputs, uint8 j) public {
        carry(inputs % 5, seed);
        refuses(AGGREGATE, proveSum(CARRIED, j), IProver.NotGuilty.selector);
        refuses(AGGREGATE, proveSum(0, j), IProver.NotGuilty.selector);
        record(provePart(CARRIED, j, int64(medianAt(j)), 0));
        refuses(PARTS, proveParts(CARRIED, j, 1), IProver.NotGuilty.selector);
    }

    function testFuzz_carried__another_value__convicts(uint256 seed, uint8 j, int32 by) public {
        carry(3, seed);
        int256 right = medianAt(j) * weightSum();
        state_(j, right + (by == 0 ? int256(1) : by));
        convicts(AGGREGATE, proveSum(CARRIED, j));
        refuses(AGGREGATE, proveSum(CARRIED, uint8(uint256(j) + 1)), IProver.NotGuilty.selector);
    }

    function test_carried__another_nodes_value__convicts_at_once_and_by_parts() public {
        carry(3, 8);
        (_weights[0], _weights[1], _weights[2]) = (2, 3, 4);
        accused.result.weightSum = 9;
        for (uint256 i = 0; i < 3; ++i) {
            int256 value = valueAt(i, 77);
            state_(77, value * 9);
            record(provePart(CARRIED, 77, int64(value), 0));
            if (value == medianAt(77)) {
                refuses(AGGREGATE, proveSum(CARRIED, 77), IProver.NotGuilty.selector);
                refuses(PARTS, proveParts(CARRIED, 77, 1), IProver.NotGuilty.selector);
            } else {
                convicts(AGGREGATE, proveSum(CARRIED, 77));
                convicts(PARTS, proveParts(CARRIED, 77, 1));
            }
        }
        state_(77, valueAt(0, 77) * 9 + 1); // no multiple, whose part is that of the multiple below
        convicts(AGGREGATE, proveSum(CARRIED, 77));
    }

    function test_carried__parts_of_another_pivot__are_no_proof() public {
        carry(3, 8);
        record(provePart(CARRIED, 77, int64(medianAt(77)) + 1, 0));
        refuses(PARTS, proveParts(CARRIED, 77, 1), IProver.BadProof.selector);
    }

    function test_carried__nothing_weighs__anything_but_zero_convicts() public {
        carry(2, 8);
        (_weights[0], _weights[1]) = (0, 0);
        state_(77, 0);
        refuses(AGGREGATE, proveSum(CARRIED, 77), IProver.NotGuilty.selector);
        state_(77, weightSum());
        convicts(AGGREGATE, proveSum(CARRIED, 77));
        accused.result.weightSum = 0;
        convicts(AGGREGATE, proveSum(CARRIED, 77));
        state_(77, 0);
        refuses(AGGREGATE, proveSum(CARRIED, 77), IProver.NotGuilty.selector);
    }

    function test_carried__value_that_is_none__convicts() public {
        carry(2, 8);
        bytes memory leaf = _bodies[1][CARRIED];
        leaf[77] = 0x80;
        _bodies[1][CARRIED] = leaf;
        restate();
        convicts(AGGREGATE, proveSum(CARRIED, 77));
    }
}
