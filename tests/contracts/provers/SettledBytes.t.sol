// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IForcedReveals } from "../../../contracts/interfaces/IForcedReveals.sol";
import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { AccountsProver } from "../../../contracts/provers/AccountsProver.sol";
import { RowsProver } from "../../../contracts/provers/RowsProver.sol";
import { AvailabilityProver } from "../../../contracts/provers/AvailabilityProver.sol";
import { ScoresProver } from "../../../contracts/provers/ScoresProver.sol";
import { WeightsProver } from "../../../contracts/provers/WeightsProver.sol";
import { AccountField, RowField } from "./Settled.sol";
import { AccountsClaim, RowsClaim, ScoresClaim, Settlements, WeightsClaim } from "./Settlements.sol";

/// @dev Whatever byte a liar changes of a row, an account or a number that is stated, one of the five provers convicts, but for the
/// bytes that docs/disputes.md lists.
contract SettledBytesTest is Settlements {
    IProver private _rows;
    IProver private _weights;
    IProver private _scores;
    IProver private _accounts;
    IProver private _availability;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        _rows = new RowsProver(coordinator);
        _weights = new WeightsProver(coordinator);
        _scores = new ScoresProver(coordinator);
        _accounts = new AccountsProver(coordinator);
        _availability = new AvailabilityProver(coordinator, IForcedReveals(address(chain)));
        return _rows;
    }

    function has(uint8, uint256) internal pure override returns (bool) {
        return false;
    }

    function prove(uint8, uint256) internal pure override returns (bytes memory) {
        return "";
    }

    // Who convicts

    function rowClaims(uint256 i) private returns (bool guilty) {
        prover = _rows;
        for (uint8 claim = 0; claim < RowsClaim.COUNT; ++claim) {
            bool ofCommit = claim == RowsClaim.DROPPED || claim == RowsClaim.FORCED;
            if (ofCommit || (claim == RowsClaim.ORDER && i == 0)) continue;
            uint256 input = rowAt(i, RowField.INPUTS, 4);
            if (claim == RowsClaim.INPUT && (input == 0 || input > inputs.length)) continue;
            (guilty, ) = accuse(claim, proveRow(claim, i));
            if (guilty) return true;
        }
        prover = _availability;
        (guilty, ) = accuse(3, bytes.concat(head(i), show(rows, i))); // FAULT
        if (guilty) return true;
        prover = _weights;
        for (uint8 claim = 0; claim < WeightsClaim.COUNT; ++claim) {
            (guilty, ) = accuse(claim, proveWeight(claim, i));
            if (guilty) return true;
        }
        prover = _scores;
        for (uint8 claim = 0; claim < ScoresClaim.COUNT; ++claim) {
            (guilty, ) = accuse(claim, proveScore(claim, i));
            if (guilty) return true;
        }
    }

    function accountClaims(uint256 i) private returns (bool guilty) {
        prover = _accounts;
        for (uint8 claim = 0; claim < AccountsClaim.COUNT; ++claim) {
            if (i == 0 && (claim == AccountsClaim.TWICE || claim == AccountsClaim.ORDER)) continue;
            (guilty, ) = accuse(claim, proveAccount(claim, i));
            if (guilty) return true;
        }
    }

    /// @dev Bytes that no claim of these provers is of, as docs/disputes.md has them.
    function isRowByteFree(uint256 i, uint256 place) private view returns (bool) {
        if (place >= RowField.ROOTS) return place < RowField.FAULT;
        bool weighs = rowAt(i, RowField.WEIGHT, 4) != 0;
        bool isProduct = place >= RowField.GATE_DOT && place < RowField.MEMORY;
        bool isScoreProduct = place >= RowField.DOT && place < RowField.SCORE;
        if (counts(i)) return isProduct || (isScoreProduct && weighs);
        return place == RowField.STATUS;
    }

    // Bytes

    function testFuzz_row__another_byte__convicted(
        uint8 round,
        uint256 i,
        uint256 place,
        uint8 change
    ) public {
        arrange(uint64(1 + (round % ROUNDS)));
        (i, place) = (i % rows.length, place % RowField.END);
        if (isRowByteFree(i, place)) return;
        setRow(i, place, 1, rowAt(i, place, 1) ^ (change == 0 ? 1 : change));
        // another fault of the update is shown by its chunk: AvailabilityProver.t.sol
        if (place >= RowField.FAULT && rowAt(i, RowField.FAULT, 4) < rules.chunks) return;
        require(rowClaims(i), "no claim convicts the row");
    }

    function testFuzz_account__another_byte__convicted(
        uint8 round,
        uint256 i,
        uint256 place,
        uint8 change
    ) public {
        arrange(uint64(1 + (round % ROUNDS)));
        (i, place) = (i % accounts.length, place % AccountField.END);
        setAccount(i, place, 1, accountAt(i, place, 1) ^ (change == 0 ? 1 : change));
        bool guilty = accountClaims(i);
        for (uint256 row = 0; row < rows.length && !guilty; ++row) guilty = rowClaims(row);
        require(guilty, "no claim convicts the account");
    }

    function testFuzz_stated__another_number__convicted(uint8 round, uint8 which, uint256 change) public {
        arrange(uint64(1 + (round % ROUNDS)));
        which %= 5;
        uint256 other = change == 0 ? 1 : change;
        if (which == 0) accused.result.inputs ^= uint32((other % type(uint32).max) + 1);
        else if (which == 1) accused.result.weightSum ^= uint32((other % type(uint32).max) + 1);
        else if (which == 2) accused.result.rewardTotal ^= uint128((other % type(uint128).max) + 1);
        else if (which == 3) accused.statement.normMedian ^= uint64((other % type(uint64).max) + 1);
        else accused.statement.alongMedian ^= int256(other);
        require(rowClaims(0) || accountClaims(0), "no claim convicts the number");
    }

    /// @dev A leaf of the list of medians, by the row that it is of.
    function testFuzz_medians__another_byte__convicted(uint8 round, uint256 place, uint8 change) public {
        arrange(uint64(1 + (round % ROUNDS)));
        place %= medians.length;
        setMedian(place, 1, read(medians, place, 1) ^ (change == 0 ? 1 : change));
        uint256 i = 0;
        while (rowAt(i, RowField.PASSED, 4) != place / ENTRY + 1) ++i;
        require(rowClaims(i), "no claim convicts the list");
    }
}
