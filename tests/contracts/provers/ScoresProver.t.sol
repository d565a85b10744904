// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { ScoresProver } from "../../../contracts/provers/ScoresProver.sol";
import { RowField } from "./Settled.sol";
import { ScoresClaim, Settlements } from "./Settlements.sol";

/// @dev Scores that do not follow from their products, shares that do not follow from scores and debts.
contract ScoresProverTest is Settlements {
    uint256 private constant TOO_LARGE_DOT = (1 << 140) + 1;
    uint256 private constant PRODUCT_POWER = 80;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new ScoresProver(coordinator);
    }

    function has(uint8, uint256 index) internal view override returns (bool) {
        return index < rows.length;
    }

    function prove(uint8 claim, uint256 index) internal view override returns (bytes memory) {
        return proveScore(claim, index);
    }

    function convictsRow(uint8 claim, uint256 index) private view {
        convicts(claim, proveScore(claim, index));
    }

    function refusesRow(uint8 claim, uint256 index, bytes4 selector) private view {
        refuses(claim, proveScore(claim, index), selector);
    }

    // Honest rounds

    function test_honest__each_claim_at_each_index__refused_and_as_python_writes_it() public {
        refusesAll(ScoresClaim.COUNT, "scores");
    }

    function testFuzz_honest__changed_proofs__never_convict(
        uint256 seed,
        uint256 place,
        uint8 change
    ) public {
        refusesChanged(ScoresClaim.COUNT, seed, place, change);
    }

    function testFuzz_honest__any_bytes__never_convict(uint8 claim, bytes memory proof) public view {
        (bool done, ) = accuse(claim % ScoresClaim.COUNT, proof);
        require(!done, "convicted");
    }

    function test_claims__unknown_one__refused() public view {
        refusesRow(ScoresClaim.COUNT, 0, IProver.BadShape.selector);
    }

    // Scores

    function test_score__each_other_by_one__convicts() public {
        for (uint64 round = 1; round <= ROUNDS; ++round) {
            arrange(round);
            for (uint256 i = 0; i < rows.length; ++i) {
                addToRow(i, RowField.SCORE, 8, 1);
                convictsRow(ScoresClaim.SCORE, i);
                addToRow(i, RowField.SCORE, 8, type(uint256).max - 1); // one less than it should be
                convictsRow(ScoresClaim.SCORE, i);
            }
        }
    }

    function test_score__products_of_who_weighs_nothing__convicts() public {
        uint256 i = find(GATED);
        addToRow(i, RowField.DOT, 32, 1);
        convictsRow(ScoresClaim.SCORE, i);
        arrange(2);
        addToRow(i, RowField.STEP_DOT, 32, 1);
        convictsRow(ScoresClaim.SCORE, i);
    }

    function test_score__numbers_that_cannot_be__convicts() public {
        setRow(0, RowField.DOT, 32, TOO_LARGE_DOT);
        convictsRow(ScoresClaim.SCORE, 0);
        setRow(0, RowField.DOT, 32, 1 << 255);
        convictsRow(ScoresClaim.SCORE, 0);
        arrange(2);
        setRow(0, RowField.STEP_DOT, 32, TOO_LARGE_DOT);
        convictsRow(ScoresClaim.SCORE, 0);
        arrange(2);
        accused.statement.stepSquare = type(uint256).max;
        convictsRow(ScoresClaim.SCORE, 0);
        arrange(2);
        accused.statement.alongMedian = type(int256).min;
        convictsRow(ScoresClaim.SCORE, 0);
        arrange(2);
        accused.result.weightSum = 0;
        convictsRow(ScoresClaim.SCORE, 0);
    }

    function test_score__without_a_last_step__takes_no_product_with_it() public {
        arrange(1);
        refusesRow(ScoresClaim.SCORE, 0, NOT_GUILTY);
        setRow(0, RowField.STEP_DOT, 32, 1);
        convictsRow(ScoresClaim.SCORE, 0);
    }

    /// @dev A unit weight of 1 and no last step: the score is that of the product alone.
    function scoreOf(int256 dot, uint32 weightSum) private returns (int64) {
        accused.statement.stepSquare = 0;
        accused.result.weightSum = weightSum;
        setRow(0, RowField.STEP_DOT, 32, 0);
        setRow(0, RowField.WEIGHT, 4, 1);
        setRow(0, RowField.DOT, 32, uint256(dot));
        int256 divisor = int256(uint256(weightSum)) << PRODUCT_POWER;
        int256 near = (dot * 10 ** 6) / divisor;
        for (int256 one = near - 1; one <= near + 1; ++one) {
            setRow(0, RowField.SCORE, 8, uint256(one));
            (bool wrong, ) = accuse(ScoresClaim.SCORE, proveScore(ScoresClaim.SCORE, 0));
            if (!wrong) return int64(one);
        }
        revert("no score is right");
    }

    function test_score__halves__rounded_to_even() public {
        // the dot of a quarter of a millionth, for 2^6 divides a million
        int256 quarter = int256(1 << PRODUCT_POWER) / 64;
        uint32 sum = 31_250; // 10^6 / 64 * 2
        int64[9] memory expected = [int64(-2), -2, -1, 0, 0, 0, 1, 2, 2];
        for (int256 i = -4; i <= 4; ++i)
            require(scoreOf(i * quarter, sum) == expected[uint256(i + 4)], "rounded another way");
    }

    function testFuzz_score__any_product__nearest_to_the_quotient(int112 dot, uint32 sum) public {
        uint32 weightSum = (sum % (1 << 20)) + 1;
        int256 whole = scoreOf(dot, weightSum);
        int256 divisor = int256(uint256(weightSum)) << PRODUCT_POWER;
        int256 rest = int256(dot) * 10 ** 6 - whole * divisor;
        require(2 * rest <= divisor && -2 * rest <= divisor, "a nearer score is there");
    }

    function test_score__beyond_the_median__counts_up_to_it() public {
        // part 12 for each unit of weight, of which 5 count
        accused.statement.gradientAlong = 3;
        (accused.statement.stepSquare, accused.statement.alongMedian) = (1, 5);
        accused.result.weightSum = 1;
        setRow(0, RowField.STEP_DOT, 32, 4);
        setRow(0, RowField.UNIT, 4, 10);
        setRow(0, RowField.WEIGHT, 4, 10);
        int256 worth = int256(7) << PRODUCT_POWER;
        setRow(0, RowField.DOT, 32, uint256(worth + 7)); // 10 * 7 of them are taken off again
        setRow(0, RowField.SCORE, 8, 70_000_000);
        refusesRow(ScoresClaim.SCORE, 0, NOT_GUILTY);
        accused.statement.alongMedian = 5 - (int256(1) << PRODUCT_POWER);
        convictsRow(ScoresClaim.SCORE, 0);
        setRow(0, RowField.SCORE, 8, 60_000_000);
        refusesRow(ScoresClaim.SCORE, 0, NOT_GUILTY);
    }

    // Shares

    function test_share__each_other_by_one__convicts() public {
        for (uint64 round = 1; round <= ROUNDS; ++round) {
            for (uint256 i = 0; i < 2; ++i) {
                arrange(round);
                addToRow(i, RowField.SHARES, 16, 1);
                convictsRow(ScoresClaim.SHARE, i);
                if (i + 1 < rows.length) convictsRow(ScoresClaim.SHARE, i + 1);
            }
        }
    }

    function test_share__a_debt_forgotten__convicts() public {
        // the debtor of round 1
        uint256 debtor = 0;
        while (read(parentAccounts[debtor], 36, 8) == 0) ++debtor;
        uint256 i = 0;
        while (rowAt(i, RowField.ACCOUNT, 4) != debtor) ++i;
        addToRow(i, RowField.SHARES, 16, rowAt(i, RowField.SCORE, 8));
        convictsRow(ScoresClaim.SHARE, i);
    }

    function test_share__of_an_account_of_another_owner__another_fault() public {
        uint256 i = 0;
        while (rowAt(i, RowField.ACCOUNT, 4) >= parentAccounts.length) ++i;
        setRow(i, RowField.ACCOUNT, 4, 1 - rowAt(i, RowField.ACCOUNT, 4));
        refusesRow(ScoresClaim.SHARE, i, BAD_PROOF);
    }

    function test_share__absurd_numbers__no_panic() public {
        uint256 last = rows.length - 1;
        setRow(last, RowField.SCORE, 8, 1 << 63);
        setRow(last - 1, RowField.SHARES, 16, type(uint128).max);
        convictsRow(ScoresClaim.SHARE, last);
        setRow(last, RowField.SCORE, 8, (1 << 63) - 1);
        setRow(last, RowField.SHARES, 16, type(uint128).max);
        convictsRow(ScoresClaim.SHARE, last);
    }
}
