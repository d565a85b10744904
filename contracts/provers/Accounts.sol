// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Cursor } from "./Cursors.sol";
import { ROWS_DEPTH } from "./Prover.sol";

/// @dev An owner's account after a round: docs/protocol.md, "Accounts".
struct Account {
    address owner;
    uint256 cumulative;
    int256 debt;
    int256 memory_;
    uint256 total; // of the cumulative rewards, this account included
    uint256 row; // of the owner's node in the round, or NO_ROW
}

/// @title Reads accounts
library Accounts {
    uint256 internal constant LEAF = 72; // bytes
    uint256 internal constant NO_ROW = type(uint32).max;

    /// @notice Reads an account and its siblings.
    /// @param cursor the proof
    /// @param root root of the accounts
    /// @param index the account's
    /// @return the account
    function take(Cursor memory cursor, bytes32 root, uint256 index) internal view returns (Account memory) {
        return read(cursor.takeLeaf(LEAF, root, index, ROWS_DEPTH));
    }

    /// @notice Reads an account of which there are `count`; of one behind these, all is 0.
    /// @param cursor the proof
    /// @param root root of the accounts
    /// @param index the account's
    /// @param count number of accounts
    /// @return account the account
    function takeIfAny(
        Cursor memory cursor,
        bytes32 root,
        uint256 index,
        uint256 count
    ) internal view returns (Account memory account) {
        if (index < count) account = take(cursor, root, index);
    }

    /// @notice Reads the fields of a leaf of 72 bytes.
    /// @param leaf the leaf
    /// @return account the account
    function read(bytes calldata leaf) internal pure returns (Account memory account) {
        account.owner = address(bytes20(leaf));
        account.cumulative = uint128(bytes16(leaf[20:]));
        account.debt = int256(uint256(uint64(bytes8(leaf[36:]))));
        account.memory_ = int64(uint64(bytes8(leaf[44:])));
        account.total = uint128(bytes16(leaf[52:]));
        account.row = uint32(bytes4(leaf[68:]));
    }
}
