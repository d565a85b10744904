// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { RowsProver } from "../../../contracts/provers/RowsProver.sol";
import { RowField } from "./Settled.sol";
import { RowsClaim, Settlements } from "./Settlements.sol";

/// @dev Rows that are not those of the round's commits, or whose totals do not add up.
contract RowsProverTest is Settlements {
    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new RowsProver(coordinator);
    }

    function has(uint8 claim, uint256 index) internal view override returns (bool) {
        if (claim == RowsClaim.SUMS) return index == 0;
        if (claim == RowsClaim.DROPPED) return index < commits.length && commits[index][20] == 0;
        if (claim == RowsClaim.FORCED) return FORCED_COMMIT * index < forced.length;
        if (index >= rows.length) return false;
        if (claim == RowsClaim.INPUT) return rowAt(index, RowField.INPUTS, 4) != 0;
        return claim != RowsClaim.ORDER || index != 0;
    }

    function prove(uint8 claim, uint256 index) internal view override returns (bytes memory) {
        return proveRow(claim, index);
    }

    function convictsRow(uint8 claim, uint256 index) private view {
        convicts(claim, proveRow(claim, index));
    }

    function refusesRow(uint8 claim, uint256 index, bytes4 selector) private view {
        refuses(claim, proveRow(claim, index), selector);
    }

    // Honest rounds

    function test_honest__each_claim_at_each_index__refused_and_as_python_writes_it() public {
        refusesAll(RowsClaim.COUNT, "rows");
    }

    function testFuzz_honest__changed_proofs__never_convict(
        uint256 seed,
        uint256 place,
        uint8 change
    ) public {
        refusesChanged(RowsClaim.COUNT, seed, place, change);
    }

    function testFuzz_honest__any_bytes__never_convict(uint8 claim, bytes memory proof) public view {
        (bool done, ) = accuse(claim % RowsClaim.COUNT, proof);
        require(!done, "convicted");
    }

    function test_claims__unknown_one_or_another_row__refused() public view {
        refusesRow(RowsClaim.COUNT, 0, IProver.BadShape.selector);
        bytes memory proof = proveRow(RowsClaim.STAKE, 0);
        put(proof, 0, 4, 1);
        refuses(RowsClaim.STAKE, proof, BAD_PROOF);
    }

    // Order

    function test_order__falling_or_equal_nodes__convicts() public {
        swap(rows, 2, 3);
        restate();
        convictsRow(RowsClaim.ORDER, 3);
        refusesRow(RowsClaim.ORDER, 1, NOT_GUILTY);
        rows[3] = rows[2];
        restate();
        convictsRow(RowsClaim.ORDER, 3);
    }

    function test_order__the_first_row__has_none_before() public view {
        refuses(RowsClaim.ORDER, bytes.concat(head(0), show(rows, 0), show(rows, 0)), BAD_PROOF);
    }

    // Stake

    function test_stake__another_owner_or_amount__convicts() public {
        addToRow(4, RowField.OWNER, 20, 1);
        convictsRow(RowsClaim.STAKE, 4);
        addToRow(3, RowField.STAKE, 16, 1);
        convictsRow(RowsClaim.STAKE, 3);
        refusesRow(RowsClaim.STAKE, 2, NOT_GUILTY);
    }

    function test_stake__of_a_later_block__convicts() public {
        state.openBlock += 1;
        chain.setRound(accused.round, state);
        convictsRow(RowsClaim.STAKE, 0);
    }

    // Reveal

    function test_reveal__another_update_than_committed_to__convicts() public {
        for (uint256 place = RowField.CID; place < RowField.STATUS; place += 32) {
            arrange(2);
            addToRow(0, place, 32, 1);
            convictsRow(RowsClaim.REVEAL, 0);
        }
    }

    /// @dev Whoever opened the commitment is late, invalid or unavailable; nobody else is.
    function test_reveal__withheld_with_a_reveal_or_late_without__convicts() public {
        for (uint256 place = RowField.CID; place < RowField.STATUS; place += 32) {
            arrange(2);
            refusesRow(RowsClaim.REVEAL, find(WITHHELD), NOT_GUILTY);
            addToRow(find(WITHHELD), place, 32, 1);
            convictsRow(RowsClaim.REVEAL, find(WITHHELD));
        }
        arrange(2);
        setRow(0, RowField.STATUS, 1, LATE);
        refusesRow(RowsClaim.REVEAL, 0, NOT_GUILTY);
        uint256 withheld = find(WITHHELD);
        setRow(withheld, RowField.STATUS, 1, LATE);
        convictsRow(RowsClaim.REVEAL, withheld);
    }

    // Inputs

    function test_input__another_body_node_or_weight__convicts() public {
        uint256[3] memory places = [uint256(0), 32, 52];
        for (uint256 i = 0; i < 3; ++i) {
            arrange(2);
            bytes memory leaf = inputs[1];
            leaf[places[i]] ^= 0x01;
            inputs[1] = leaf;
            restate();
            uint256 row = 0;
            while (rowAt(row, RowField.INPUTS, 4) != 2) ++row;
            convictsRow(RowsClaim.INPUT, row);
            refusesRow(RowsClaim.INPUT, 0, NOT_GUILTY);
        }
    }

    function test_input__of_a_row_that_does_not_count_or_is_none__another_fault() public {
        refusesRow(RowsClaim.INPUT, find(INVALID), BAD_PROOF);
        bytes memory proof = proveRow(RowsClaim.INPUT, 0);
        setRow(0, RowField.INPUTS, 4, 0);
        refuses(RowsClaim.INPUT, bytes.concat(head(0), show(rows, 0), show(inputs, 0)), BAD_PROOF);
        convictsRow(RowsClaim.TOTALS, 0);
        refuses(RowsClaim.INPUT, proof, BAD_PROOF);
    }

    // Totals

    function test_totals__each_other_by_one__convicts() public {
        uint256[4] memory places = [RowField.INPUTS, RowField.PASSED, RowField.UNITS, RowField.STAKES];
        for (uint256 i = 0; i < 4; ++i) {
            for (uint256 row = 0; row < rows.length; ++row) {
                arrange(2);
                addToRow(row, places[i], i == 3 ? 16 : 4, 1);
                convictsRow(RowsClaim.TOTALS, row);
                if (row + 1 < rows.length) convictsRow(RowsClaim.TOTALS, row + 1);
            }
        }
    }

    function test_totals__stake_below_the_minimum_counts__convicts() public {
        rules.minStake = rules.maxStake;
        chain.setRules(rules);
        uint256 row = 0;
        while (rowAt(row, RowField.STAKE, 16) >= rules.minStake || !counts(row)) ++row;
        convictsRow(RowsClaim.TOTALS, row);
    }

    function test_totals__a_task_for_admitted_members__each_stake_is_one() public {
        rules.admittedOnly = true;
        chain.setRules(rules);
        convictsRow(RowsClaim.TOTALS, 0);
        setRow(0, RowField.STAKES, 16, 1);
        refusesRow(RowsClaim.TOTALS, 0, NOT_GUILTY);
    }

    // Sums

    function test_sums__another_number_of_inputs_or_weight__convicts() public {
        accused.result.inputs += 1;
        convictsRow(RowsClaim.SUMS, 0);
        arrange(2);
        accused.result.weightSum -= 1;
        convictsRow(RowsClaim.SUMS, 0);
        while (rows.length != 0) rows.pop();
        restate();
        convicts(RowsClaim.SUMS, "");
    }

    // Commits without a row

    function test_dropped__each_commit_of_the_tree__convicts() public {
        for (uint256 i = 0; i < commits.length; ++i) {
            arrange(2);
            if (commits[i][20] != 0) continue;
            uint256 row = 0;
            while (nodeOf(rows[row]) != nodeOf(commits[i])) ++row;
            removeRow(row);
            convictsRow(RowsClaim.DROPPED, i);
        }
    }

    function test_dropped__all_commits__convicts() public {
        while (rows.length != 0) rows.pop();
        restate();
        convictsRow(RowsClaim.DROPPED, firstCommit());
    }

    function test_dropped__a_row_of_another_commitment__convicts() public {
        for (uint256 i = 0; i < rows.length; ++i) addToRow(i, RowField.COMMITMENT, 32, 1);
        convictsRow(RowsClaim.DROPPED, firstCommit());
    }

    function test_dropped__a_pass__is_no_commit() public view {
        uint256 i = 0;
        while (commits[i][20] == 0) ++i;
        refusesRow(RowsClaim.DROPPED, i, BAD_PROOF);
    }

    function test_dropped__rows_around_another_place__show_nothing() public view {
        uint256 i = commits.length - 1;
        if (commits[i][20] != 0) --i;
        bytes memory proof = bytes.concat(head(i), show(commits, i));
        uint256 count = rows.length;
        bytes memory last = show(rows, count - 1);
        refuses(RowsClaim.DROPPED, bytes.concat(proof, head(count + 1), last), BAD_PROOF);
        refuses(RowsClaim.DROPPED, bytes.concat(proof, head(count), last), BAD_PROOF);
        refuses(RowsClaim.DROPPED, bytes.concat(proof, head(0), show(rows, 0)), BAD_PROOF);
    }

    function firstCommit() private view returns (uint256 i) {
        while (commits[i][20] != 0) ++i;
    }

    // Forced commits without a row

    function test_forced__its_row_is_missing__convicts() public {
        for (uint64 round = 2; round <= ROUNDS; ++round) {
            arrange(round);
            uint256 row = 0;
            while (rowAt(row, RowField.FORCED, 1) == 0) ++row;
            removeRow(row);
            convictsRow(RowsClaim.FORCED, 0);
        }
    }

    function test_forced__another_list_or_none_there__refused() public view {
        bytes memory row = rowOf(read(forced, 0, 20));
        refuses(RowsClaim.FORCED, bytes.concat(head(1), allForced(), row), BAD_PROOF);
        refuses(RowsClaim.FORCED, bytes.concat(head(0), head(0), row), BAD_PROOF);
        bytes memory twice = bytes.concat(head(2), forced, forced);
        refuses(RowsClaim.FORCED, bytes.concat(head(0), twice, row), BAD_PROOF);
    }

    // Rows without a commit

    function test_uncommitted__a_stranger_in_each_place__convicts() public {
        uint256 count = rows.length;
        for (uint256 i = 0; i <= count; ++i) {
            arrange(2);
            bytes memory row = rows[0];
            put(row, 0, 20, i == count ? type(uint160).max : nodeOf(rows[i]) - 1);
            insertRow(i, row);
            convictsRow(RowsClaim.UNCOMMITTED, i);
            setRow(i, RowField.FORCED, 1, 1);
            convictsRow(RowsClaim.UNCOMMITTED, i);
        }
        while (commits.length != 0) commits.pop();
        restate();
        convictsRow(RowsClaim.UNCOMMITTED, 0);
    }

    function test_uncommitted__another_commitment__convicts() public {
        for (uint256 i = 0; i < rows.length; ++i) {
            arrange(2);
            addToRow(i, RowField.COMMITMENT, 32, 1);
            convictsRow(RowsClaim.UNCOMMITTED, i);
        }
    }

    function test_uncommitted__forced_where_it_is_not_or_the_other_way_round__convicts() public {
        for (uint256 i = 0; i < rows.length; ++i) {
            arrange(2);
            setRow(i, RowField.FORCED, 1, 1 - rowAt(i, RowField.FORCED, 1));
            convictsRow(RowsClaim.UNCOMMITTED, i);
            setRow(i, RowField.FORCED, 1, 2);
            convictsRow(RowsClaim.UNCOMMITTED, i);
        }
    }

    function test_uncommitted__a_row_of_who_passed__convicts_unless_it_was_forced() public {
        uint256 i = 0;
        while (commits[i][20] == 0) ++i;
        uint256 at = 0;
        while (at < rows.length && nodeOf(rows[at]) < nodeOf(commits[i])) ++at;
        bytes memory row = rows[0];
        put(row, 0, 20, nodeOf(commits[i]));
        put(row, RowField.COMMITMENT, 32, 0);
        insertRow(at, row);
        convictsRow(RowsClaim.UNCOMMITTED, at);
        forced = bytes.concat(forced, part(row, 0, 20), bytes32(0));
        setRow(at, RowField.FORCED, 1, 1);
        refusesRow(RowsClaim.UNCOMMITTED, at, NOT_GUILTY);
    }

    function test_uncommitted__leaves_around_another_place__show_nothing() public {
        uint256 forcedRow = 0;
        while (rowAt(forcedRow, RowField.FORCED, 1) == 0) ++forcedRow;
        setRow(forcedRow, RowField.FORCED, 1, 0); // guilty, so that only the openings save it
        bytes memory proof = bytes.concat(head(forcedRow), show(rows, forcedRow), allForced());
        uint256 place = 0;
        while (place < commits.length && nodeOf(commits[place]) < nodeOf(rows[forcedRow])) ++place;
        require(place != 0 && place < commits.length, "expected it between others");
        bytes memory below = bytes.concat(head(place - 1), slot(place - 1));
        refuses(RowsClaim.UNCOMMITTED, bytes.concat(proof, below), BAD_PROOF);
        bytes memory above = bytes.concat(head(place + 1), slot(place + 1), slot(place));
        refuses(RowsClaim.UNCOMMITTED, bytes.concat(proof, above), BAD_PROOF);
        bytes memory absent = bytes.concat(
            head(place),
            hex"00",
            pathOf(hashesOf(commits), place, ROWS_DEPTH)
        );
        refuses(RowsClaim.UNCOMMITTED, bytes.concat(proof, absent), BAD_PROOF);
        convictsRow(RowsClaim.UNCOMMITTED, forcedRow);
    }

    // Accounts

    function test_account__another_one_or_none__convicts() public {
        for (uint256 i = 0; i < rows.length; ++i) {
            arrange(2);
            setRow(i, RowField.ACCOUNT, 4, (rowAt(i, RowField.ACCOUNT, 4) + 1) % accounts.length);
            convictsRow(RowsClaim.ACCOUNT, i);
            setRow(i, RowField.ACCOUNT, 4, accounts.length);
            convictsRow(RowsClaim.ACCOUNT, i);
        }
    }

    function test_account__does_not_point_back__convicts() public {
        uint256 account = rowAt(3, RowField.ACCOUNT, 4);
        setAccount(account, 68, 4, type(uint32).max);
        convictsRow(RowsClaim.ACCOUNT, 3);
        refusesRow(RowsClaim.ACCOUNT, 2, NOT_GUILTY);
    }
}
