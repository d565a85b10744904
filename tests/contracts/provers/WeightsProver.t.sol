// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { WeightsProver } from "../../../contracts/provers/WeightsProver.sol";
import { RowField } from "./Settled.sol";
import { Settlements, WeightsClaim } from "./Settlements.sol";

/// @dev Weights that do not follow from stake, memory and norm.
contract WeightsProverTest is Settlements {
    uint256 private constant TOO_LARGE_DOT = (1 << 140) + 1;
    uint256 private constant NORM = 8; // in an entry of the list of medians
    uint256 private constant PART = 16;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new WeightsProver(coordinator);
    }

    function has(uint8 claim, uint256 index) internal view override returns (bool) {
        return claim < WeightsClaim.NORM_MEDIAN ? index < rows.length : index == 0;
    }

    function prove(uint8 claim, uint256 index) internal view override returns (bytes memory) {
        return proveWeight(claim, index);
    }

    function convictsRow(uint8 claim, uint256 index) private view {
        convicts(claim, proveWeight(claim, index));
    }

    function refusesRow(uint8 claim, uint256 index, bytes4 selector) private view {
        refuses(claim, proveWeight(claim, index), selector);
    }

    // Honest rounds

    function test_honest__each_claim_at_each_index__refused_and_as_python_writes_it() public {
        refusesAll(WeightsClaim.COUNT, "weights");
    }

    function testFuzz_honest__changed_proofs__never_convict(
        uint256 seed,
        uint256 place,
        uint8 change
    ) public {
        refusesChanged(WeightsClaim.COUNT, seed, place, change);
    }

    function testFuzz_honest__any_bytes__never_convict(uint8 claim, bytes memory proof) public view {
        (bool done, ) = accuse(claim % WeightsClaim.COUNT, proof);
        require(!done, "convicted");
    }

    function test_claims__unknown_one__refused() public view {
        refusesRow(WeightsClaim.COUNT, 0, IProver.BadShape.selector);
    }

    // Unit weights

    function test_unit__each_other_by_one__convicts() public {
        for (uint256 i = 0; i < rows.length; ++i) {
            arrange(2);
            addToRow(i, RowField.UNIT, 4, 1);
            convictsRow(WeightsClaim.UNIT, i);
        }
    }

    function test_unit__no_stake_counts_or_less_than_before__is_0() public {
        setRow(1, RowField.STAKES, 16, type(uint128).max); // which RowsProver convicts
        convictsRow(WeightsClaim.UNIT, 2);
        setRow(2, RowField.UNIT, 4, 0);
        refusesRow(WeightsClaim.UNIT, 2, NOT_GUILTY);
        for (uint256 i = 0; i < rows.length; ++i) setRow(i, RowField.STAKES, 16, 0);
        convictsRow(WeightsClaim.UNIT, 0);
        refusesRow(WeightsClaim.UNIT, 2, NOT_GUILTY);
    }

    // Memory

    function test_memory__each_other_by_one__convicts() public {
        for (uint64 round = 1; round <= ROUNDS; ++round) {
            arrange(round);
            for (uint256 i = 0; i < rows.length; ++i) {
                addToRow(i, RowField.MEMORY, 8, 1);
                convictsRow(WeightsClaim.MEMORY, i);
            }
        }
    }

    function test_memory__numbers_that_cannot_be__convicts() public {
        setRow(0, RowField.GATE_DOT, 32, TOO_LARGE_DOT);
        convictsRow(WeightsClaim.MEMORY, 0);
        setRow(0, RowField.GATE_DOT, 32, 1 << 255);
        convictsRow(WeightsClaim.MEMORY, 0);
        arrange(2);
        setRow(0, RowField.SQUARE, 32, type(uint256).max);
        convictsRow(WeightsClaim.MEMORY, 0);
        arrange(2);
        accused.statement.gateSquare = type(uint256).max;
        convictsRow(WeightsClaim.MEMORY, 0);
    }

    function test_memory__no_gate_gradient_or_no_update__has_a_cosine_of_0() public {
        accused.statement.gateSquare = 0;
        uint256 i = find(GATED);
        convictsRow(WeightsClaim.MEMORY, i);
        setRow(i, RowField.MEMORY, 8, 0); // of an owner without one before
        refusesRow(WeightsClaim.MEMORY, i, NOT_GUILTY);
        arrange(2);
        setRow(i, RowField.SQUARE, 32, 0);
        setRow(i, RowField.MEMORY, 8, 0);
        refusesRow(WeightsClaim.MEMORY, i, NOT_GUILTY);
    }

    function test_memory__of_an_account_of_another_owner__another_fault() public {
        uint256 i = 0;
        while (rowAt(i, RowField.ACCOUNT, 4) >= parentAccounts.length) ++i;
        setRow(i, RowField.ACCOUNT, 4, 1 - rowAt(i, RowField.ACCOUNT, 4));
        refusesRow(WeightsClaim.MEMORY, i, BAD_PROOF);
    }

    function test_memory__of_another_parent__refused() public view {
        bytes memory proof = proveWeight(WeightsClaim.MEMORY, 0);
        uint256 result = proof.length - parent.length;
        bytes memory tail = before(rowAt(0, RowField.ACCOUNT, 4));
        result -= tail.length;
        proof[result] ^= 0x01;
        refuses(WeightsClaim.MEMORY, proof, BAD_PROOF);
        proof[result] ^= 0x01;
        proof[result + 352] ^= 0x01;
        refuses(WeightsClaim.MEMORY, proof, BAD_PROOF);
    }

    // Gate

    function test_gate__passed_and_should_not_have_or_the_other_way_round__convicts() public {
        uint256 gated = find(GATED);
        setRow(gated, RowField.STATUS, 1, OK);
        convictsRow(WeightsClaim.GATE, gated);
        for (uint256 i = 0; i < rows.length; ++i) {
            arrange(2);
            if (!passed(i)) continue;
            setRow(i, RowField.STATUS, 1, GATED);
            convictsRow(WeightsClaim.GATE, i);
        }
    }

    function test_gate__a_memory_at_the_threshold__does_not_pass() public {
        uint256 threshold = 5_000_000 / uint256(22); // the root of 512
        setRow(0, RowField.MEMORY, 8, threshold);
        convictsRow(WeightsClaim.GATE, 0);
        setRow(0, RowField.MEMORY, 8, threshold + 1);
        refusesRow(WeightsClaim.GATE, 0, NOT_GUILTY);
        refusesRow(WeightsClaim.GATE, find(WITHHELD), NOT_GUILTY); // which does not count
    }

    // Clip

    function test_clip__another_weight__convicts() public {
        for (uint256 i = 0; i < rows.length; ++i) {
            arrange(2);
            addToRow(i, RowField.WEIGHT, 4, 1);
            convictsRow(WeightsClaim.CLIP, i);
        }
    }

    function test_clip__another_status__convicts() public {
        uint256 clipped = find(CLIPPED);
        setRow(clipped, RowField.STATUS, 1, OK);
        convictsRow(WeightsClaim.CLIP, clipped);
        setRow(0, RowField.STATUS, 1, CLIPPED);
        convictsRow(WeightsClaim.CLIP, 0);
        for (uint256 status = UNAVAILABLE + 1; status < 256; status += 50) {
            setRow(0, RowField.STATUS, 1, status);
            convictsRow(WeightsClaim.CLIP, 0);
        }
    }

    function test_clip__numbers_of_who_does_not_count__convicts() public {
        uint256 i = find(INVALID);
        uint256[3] memory places = [RowField.UNIT, RowField.GATE_DOT, RowField.SQUARE];
        for (uint256 k = 0; k < 3; ++k) {
            arrange(2);
            addToRow(i, places[k], k == 0 ? 4 : 32, 1);
            convictsRow(WeightsClaim.CLIP, i);
        }
    }

    function test_clip__of_a_stake_that_weighs_nothing__is_ok() public {
        uint256 i = find(CLIPPED);
        setRow(i, RowField.UNIT, 4, 0);
        convictsRow(WeightsClaim.CLIP, i);
        setRow(i, RowField.WEIGHT, 4, 0);
        setRow(i, RowField.STATUS, 1, OK);
        refusesRow(WeightsClaim.CLIP, i, NOT_GUILTY);
    }

    // The list of medians

    function test_list__each_field_of_each_entry__convicts() public {
        uint256[4] memory places = [uint256(0), 4, NORM, PART];
        for (uint256 i = 0; i < rows.length; ++i) {
            for (uint256 k = 0; k < 4; ++k) {
                arrange(2);
                if (!passed(i)) continue;
                bytes memory list = medians;
                list[ENTRY * (rowAt(i, RowField.PASSED, 4) - 1) + places[k]] ^= 0x01;
                medians = list;
                restate();
                convictsRow(WeightsClaim.LIST, i);
            }
        }
    }

    function test_list__another_length__convicts_by_any_row() public {
        for (uint256 cut = 0; cut < 3 * ENTRY; cut += 47) {
            arrange(2);
            medians = part(medians, 0, medians.length - 1 - cut);
            restate();
            for (uint256 i = 0; i < rows.length; ++i) convictsRow(WeightsClaim.LIST, i);
        }
        arrange(2);
        medians = bytes.concat(medians, medians);
        restate();
        convictsRow(WeightsClaim.LIST, find(INVALID));
    }

    function test_list__of_a_row_that_did_not_pass_or_has_a_wrong_total__another_fault() public {
        refusesRow(WeightsClaim.LIST, find(GATED), BAD_PROOF);
        setRow(0, RowField.PASSED, 4, 0);
        refusesRow(WeightsClaim.LIST, 0, BAD_PROOF);
        setRow(0, RowField.PASSED, 4, type(uint32).max);
        refusesRow(WeightsClaim.LIST, 0, BAD_PROOF);
    }

    function test_list__a_list_that_is_not_stated__refused() public {
        bytes memory proof = proveWeight(WeightsClaim.LIST, 0);
        accused.statement.mediansHash = sha256("another");
        refuses(WeightsClaim.LIST, proof, BAD_PROOF);
    }

    function test_list__numbers_that_cannot_be__convicts() public {
        setRow(0, RowField.SQUARE, 32, type(uint256).max);
        convictsRow(WeightsClaim.LIST, 0);
        arrange(2);
        setRow(0, RowField.STEP_DOT, 32, TOO_LARGE_DOT);
        convictsRow(WeightsClaim.LIST, 0);
        arrange(2);
        setRow(0, RowField.UNIT, 4, 0);
        convictsRow(WeightsClaim.LIST, 0);
        arrange(2);
        accused.statement.stepSquare = type(uint256).max;
        convictsRow(WeightsClaim.LIST, 0);
    }

    function test_list__parts_that_cannot_be__convicts() public {
        accused.statement.gradientAlong = type(int256).min;
        setRow(0, RowField.STEP_DOT, 32, 1 << 140);
        accused.statement.stepSquare = 1; // the quotient has more than 256 bits
        convictsRow(WeightsClaim.LIST, 0);
        accused.statement.stepSquare = 1 << 164; // it has fewer, and is larger than any product
        setRow(0, RowField.STEP_DOT, 32, type(uint256).max);
        accused.statement.gradientAlong = type(int256).max;
        accused.statement.stepSquare = 1 << 100;
        convictsRow(WeightsClaim.LIST, 0);
    }

    function test_list__a_quotient_of_all_bits__convicts_without_a_panic() public {
        // gradientAlong * stepDot / stepSquare has the quotient 2^256 - 1, of which rounding up would be 2^256
        accused.statement.gradientAlong = type(int256).min + 1;
        accused.statement.stepSquare = (1 << 139) + 1;
        setRow(0, RowField.STEP_DOT, 32, 1 << 140);
        setRow(0, RowField.UNIT, 4, 1);
        setRow(0, RowField.WEIGHT, 4, 1);
        convictsRow(WeightsClaim.LIST, 0);
    }

    function test_list__without_a_last_step_or_weight__has_parts_of_0() public {
        arrange(1);
        refusesRow(WeightsClaim.LIST, 0, NOT_GUILTY);
        setMedian(PART + 31, 1, 1);
        convictsRow(WeightsClaim.LIST, 0);
        arrange(2);
        setRow(0, RowField.WEIGHT, 4, 0);
        setMedian(4, 4, 0);
        convictsRow(WeightsClaim.LIST, 0);
        setMedian(PART, 32, 0);
        refusesRow(WeightsClaim.LIST, 0, NOT_GUILTY);
    }

    /// @dev Rounded down, where exact and where not, of both signs: against the definition by multiplication.
    function testFuzz_list__part__is_the_quotient_rounded_down(
        int128 along,
        int96 stepDot,
        uint32 square,
        uint32 unit
    ) public {
        accused.statement.gradientAlong = along;
        accused.statement.stepSquare = square;
        uint256 weight = (uint256(unit) * 2) / 3;
        setRow(0, RowField.STEP_DOT, 32, uint256(int256(stepDot)));
        setRow(0, RowField.UNIT, 4, unit);
        setRow(0, RowField.WEIGHT, 4, weight);
        int256 dividend = int256(along) * stepDot * int256(weight);
        int256 divisor = int256(uint256(square)) * int256(uint256(unit));
        int256 quotient = divisor == 0 ? int256(0) : dividend / divisor;
        if (divisor != 0 && quotient * divisor > dividend) --quotient;
        bool possible = quotient <= int256(1 << 140) && quotient >= -int256(1 << 140);
        setMedian(0, 4, unit);
        setMedian(4, 4, weight);
        setMedian(PART, 32, uint256(quotient));
        if (possible) refusesRow(WeightsClaim.LIST, 0, NOT_GUILTY);
        else convictsRow(WeightsClaim.LIST, 0);
        setMedian(PART, 32, uint256(quotient + 1));
        convictsRow(WeightsClaim.LIST, 0);
    }

    // Medians

    function test_norm_median__any_other_norm_of_the_list_or_beside_it__convicts() public {
        uint64 stated = accused.statement.normMedian;
        for (uint256 at = NORM; at < medians.length; at += ENTRY) {
            uint64 norm = uint64(read(medians, at, 8));
            for (uint64 other = norm - 1; other <= norm + 1; ++other) {
                accused.statement.normMedian = other;
                if (other == stated) refusesRow(WeightsClaim.NORM_MEDIAN, 0, NOT_GUILTY);
                else convictsRow(WeightsClaim.NORM_MEDIAN, 0);
            }
        }
        accused.statement.normMedian = 0;
        convictsRow(WeightsClaim.NORM_MEDIAN, 0);
    }

    function test_norm_median__half_of_the_weight__is_enough() public {
        medians = bytes.concat(entry(1, 1, 30, 0), entry(2, 2, 20, 0), entry(1, 1, 10, 0));
        restate();
        accused.statement.normMedian = 20;
        refusesRow(WeightsClaim.NORM_MEDIAN, 0, NOT_GUILTY);
        medians = bytes.concat(entry(2, 1, 30, 0), entry(1, 2, 20, 0), entry(1, 1, 10, 0));
        restate();
        refusesRow(WeightsClaim.NORM_MEDIAN, 0, NOT_GUILTY);
        accused.statement.normMedian = 30;
        convictsRow(WeightsClaim.NORM_MEDIAN, 0);
    }

    function test_medians__of_nothing__are_0() public {
        medians = bytes.concat(entry(0, 0, 30, 5));
        restate();
        (accused.statement.normMedian, accused.statement.alongMedian) = (0, 0);
        refusesRow(WeightsClaim.NORM_MEDIAN, 0, NOT_GUILTY);
        refusesRow(WeightsClaim.ALONG_MEDIAN, 0, NOT_GUILTY);
        (accused.statement.normMedian, accused.statement.alongMedian) = (30, 5);
        convictsRow(WeightsClaim.NORM_MEDIAN, 0);
        convictsRow(WeightsClaim.ALONG_MEDIAN, 0);
    }

    function test_along_median__any_other_part_of_the_list_or_beside_it__convicts() public {
        int256 stated = accused.statement.alongMedian;
        for (uint256 at = PART; at < medians.length; at += ENTRY) {
            int256 along = int256(read(medians, at, 32));
            for (int256 other = along - 1; other <= along + 1; ++other) {
                accused.statement.alongMedian = other;
                if (other == stated) refusesRow(WeightsClaim.ALONG_MEDIAN, 0, NOT_GUILTY);
                else convictsRow(WeightsClaim.ALONG_MEDIAN, 0);
            }
        }
    }

    function test_along_median__below_0__counts_as_0() public {
        medians = bytes.concat(entry(2, 2, 1, -7), entry(0, 0, 2, 1), entry(1, 1, 3, 9));
        restate();
        accused.statement.alongMedian = 0;
        refusesRow(WeightsClaim.ALONG_MEDIAN, 0, NOT_GUILTY);
        accused.statement.alongMedian = -7;
        convictsRow(WeightsClaim.ALONG_MEDIAN, 0);
        accused.statement.alongMedian = 9;
        convictsRow(WeightsClaim.ALONG_MEDIAN, 0);
        medians = bytes.concat(entry(1, 1, 1, -7), entry(2, 2, 3, 9));
        restate();
        refusesRow(WeightsClaim.ALONG_MEDIAN, 0, NOT_GUILTY);
        accused.statement.alongMedian = 0;
        convictsRow(WeightsClaim.ALONG_MEDIAN, 0);
    }

    function entry(
        uint32 unit,
        uint32 weight,
        uint64 norm,
        int256 along
    ) private pure returns (bytes memory) {
        return abi.encodePacked(unit, weight, norm, along);
    }
}
