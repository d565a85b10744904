// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { AccountsProver } from "../../../contracts/provers/AccountsProver.sol";
import { AccountField, RowField } from "./Settled.sol";
import { AccountsClaim, Settlements } from "./Settlements.sol";

/// @dev Accounts that do not follow from those before and the round's rows.
contract AccountsProverTest is Settlements {
    uint256 private constant NO_ROW = type(uint32).max;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new AccountsProver(coordinator);
    }

    function has(uint8 claim, uint256 index) internal view override returns (bool) {
        if (claim == AccountsClaim.FEWER || claim == AccountsClaim.REWARD_TOTAL) return index == 0;
        bool ofTwo = claim == AccountsClaim.TWICE || claim == AccountsClaim.ORDER;
        return index < accounts.length && (!ofTwo || index != 0);
    }

    function prove(uint8 claim, uint256 index) internal view override returns (bytes memory) {
        return proveAccount(claim, index);
    }

    function convictsAccount(uint8 claim, uint256 index) private view {
        convicts(claim, proveAccount(claim, index));
    }

    function refusesAccount(uint8 claim, uint256 index, bytes4 selector) private view {
        refuses(claim, proveAccount(claim, index), selector);
    }

    function accountWithRow() private view returns (uint256 index) {
        while (accountAt(index, AccountField.ROW, 4) == NO_ROW) ++index;
    }

    // Honest rounds

    function test_honest__each_claim_at_each_index__refused_and_as_python_writes_it() public {
        refusesAll(AccountsClaim.COUNT, "accounts");
    }

    function testFuzz_honest__changed_proofs__never_convict(
        uint256 seed,
        uint256 place,
        uint8 change
    ) public {
        refusesChanged(AccountsClaim.COUNT, seed, place, change);
    }

    function testFuzz_honest__any_bytes__never_convict(uint8 claim, bytes memory proof) public view {
        (bool done, ) = accuse(claim % AccountsClaim.COUNT, proof);
        require(!done, "convicted");
    }

    function test_claims__unknown_one__refused() public view {
        refusesAccount(AccountsClaim.COUNT, 0, IProver.BadShape.selector);
    }

    // Owners

    function test_fewer__than_before__convicts() public {
        accused.statement.accounts = uint32(parentAccounts.length - 1);
        convictsAccount(AccountsClaim.FEWER, 0);
        accused.statement.accounts += 1;
        refusesAccount(AccountsClaim.FEWER, 0, NOT_GUILTY);
        arrange(1);
        accused.statement.accounts = 0;
        refuses(AccountsClaim.FEWER, "", NOT_GUILTY); // there were none
    }

    function test_owner__another_than_before__convicts() public {
        for (uint256 i = 0; i < accounts.length; ++i) {
            arrange(2);
            addToAccount(i, 0, 20, 1);
            bool old = i < parentAccounts.length;
            if (old) convictsAccount(AccountsClaim.OWNER, i);
            else refusesAccount(AccountsClaim.OWNER, i, NOT_GUILTY);
            convictsAccount(AccountsClaim.MOVED, i); // by the row's owner
        }
    }

    function test_twice__one_owner__convicts() public {
        setAccount(5, 0, 20, accountAt(2, 0, 20));
        convicts(AccountsClaim.TWICE, proveTwice(2, 5));
        refuses(AccountsClaim.TWICE, proveTwice(5, 2), BAD_PROOF);
        refuses(AccountsClaim.TWICE, proveTwice(2, 2), BAD_PROOF);
        refuses(AccountsClaim.TWICE, proveTwice(1, 5), NOT_GUILTY);
    }

    function test_order__new_accounts_in_another_order_than_their_rows__convicts() public {
        uint256 first = parentAccounts.length;
        swap(accounts, first, first + 1);
        restate();
        convictsAccount(AccountsClaim.ORDER, first + 1);
        refusesAccount(AccountsClaim.ORDER, first + 3, NOT_GUILTY);
        refusesAccount(AccountsClaim.ORDER, first, BAD_PROOF);
        refuses(
            AccountsClaim.ORDER,
            bytes.concat(head(0), parent, show(accounts, 0), show(accounts, 0)),
            BAD_PROOF
        );
    }

    // Accounts that no row moved

    function test_unmoved__another_amount_debt_or_memory__convicts() public {
        uint256[3] memory places = [AccountField.CUMULATIVE, AccountField.DEBT, AccountField.MEMORY];
        for (uint256 k = 0; k < 3; ++k) {
            arrange(3);
            addToAccount(0, places[k], k == 0 ? 16 : 8, 1);
            convictsAccount(AccountsClaim.UNMOVED, 0);
            refusesAccount(AccountsClaim.UNMOVED, accountWithRow(), BAD_PROOF);
        }
    }

    function test_unmoved__a_new_one__convicts() public {
        setAccount(accounts.length - 1, AccountField.ROW, 4, NO_ROW);
        convictsAccount(AccountsClaim.UNMOVED, accounts.length - 1);
        arrange(1);
        setAccount(0, AccountField.ROW, 4, NO_ROW);
        convictsAccount(AccountsClaim.UNMOVED, 0);
    }

    // Accounts that a row moved

    function test_moved__another_amount_debt_or_memory__convicts() public {
        uint256[3] memory places = [AccountField.CUMULATIVE, AccountField.DEBT, AccountField.MEMORY];
        for (uint64 round = 1; round <= ROUNDS; ++round) {
            for (uint256 k = 0; k < 3; ++k) {
                arrange(round);
                for (uint256 i = 0; i < accounts.length; ++i) {
                    addToAccount(i, places[k], k == 0 ? 16 : 8, 1);
                    if (accountAt(i, AccountField.ROW, 4) != NO_ROW) convictsAccount(AccountsClaim.MOVED, i);
                    else refusesAccount(AccountsClaim.MOVED, i, BAD_PROOF);
                }
            }
        }
    }

    function test_moved__by_another_row__convicts() public {
        for (uint256 i = 0; i < accounts.length; ++i) {
            arrange(2);
            setAccount(i, AccountField.ROW, 4, (accountAt(i, AccountField.ROW, 4) + 1) % rows.length);
            convictsAccount(AccountsClaim.MOVED, i);
            setAccount(i, AccountField.ROW, 4, rows.length);
            convictsAccount(AccountsClaim.MOVED, i);
        }
    }

    function test_moved__the_row_points_elsewhere__convicts() public {
        uint256 row = accountAt(1, AccountField.ROW, 4);
        setRow(row, RowField.ACCOUNT, 4, 0);
        convictsAccount(AccountsClaim.MOVED, 1);
    }

    function test_moved__totals_of_shares_that_fall_or_pass_the_last__are_faults_of_rows() public {
        uint256 row = 3;
        uint256 account = rowAt(row, RowField.ACCOUNT, 4);
        setRow(row - 1, RowField.SHARES, 16, type(uint128).max);
        refusesAccount(AccountsClaim.MOVED, account, BAD_PROOF);
        setRow(row, RowField.SHARES, 16, type(uint128).max);
        refusesAccount(AccountsClaim.MOVED, account, BAD_PROOF);
    }

    function test_moved__no_shares__no_reward() public {
        uint256 account = rowAt(0, RowField.ACCOUNT, 4);
        for (uint256 i = 0; i < rows.length; ++i) setRow(i, RowField.SHARES, 16, 0);
        convictsAccount(AccountsClaim.MOVED, account);
        uint256 cumulative = account < parentAccounts.length ? read(parentAccounts[account], 20, 16) : 0;
        setAccount(account, AccountField.CUMULATIVE, 16, cumulative);
        refusesAccount(AccountsClaim.MOVED, account, NOT_GUILTY);
    }

    function test_moved__absurd_numbers__no_panic() public {
        rules.roundBudget = type(uint128).max;
        chain.setRules(rules);
        uint256 account = rowAt(0, RowField.ACCOUNT, 4);
        setRow(rows.length - 1, RowField.SHARES, 16, type(uint128).max);
        setRow(0, RowField.SHARES, 16, type(uint128).max);
        setRow(0, RowField.SCORE, 8, 1 << 63);
        setAccount(account, AccountField.CUMULATIVE, 16, type(uint128).max);
        convictsAccount(AccountsClaim.MOVED, account);
        convictsAccount(AccountsClaim.TOTAL, account);
    }

    // Totals

    function test_total__each_other_by_one__convicts() public {
        for (uint256 i = 0; i < accounts.length; ++i) {
            arrange(2);
            addToAccount(i, AccountField.TOTAL, 16, 1);
            convictsAccount(AccountsClaim.TOTAL, i);
            if (i + 1 < accounts.length) convictsAccount(AccountsClaim.TOTAL, i + 1);
        }
        convictsAccount(AccountsClaim.REWARD_TOTAL, 0);
    }

    function test_reward_total__another_than_the_last__convicts() public {
        accused.result.rewardTotal += 1;
        convictsAccount(AccountsClaim.REWARD_TOTAL, 0);
        accused.statement.accounts = 0;
        convicts(AccountsClaim.REWARD_TOTAL, "");
        accused.result.rewardTotal = 0;
        refuses(AccountsClaim.REWARD_TOTAL, "", NOT_GUILTY);
    }
}
