// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../../contracts/interfaces/IStatements.sol";
import { Proving } from "./Proving.sol";

/// @dev Where the fields of a row are: docs/protocol.md, "Rows".
library RowField {
    uint256 internal constant OWNER = 20;
    uint256 internal constant STAKE = 40;
    uint256 internal constant COMMITMENT = 56;
    uint256 internal constant CID = 88;
    uint256 internal constant BODY_ROOT = 120;
    uint256 internal constant STATUS = 184;
    uint256 internal constant FORCED = 185;
    uint256 internal constant UNIT = 186;
    uint256 internal constant WEIGHT = 190;
    uint256 internal constant GATE_DOT = 194;
    uint256 internal constant SQUARE = 226;
    uint256 internal constant MEMORY = 258;
    uint256 internal constant DOT = 266;
    uint256 internal constant STEP_DOT = 298;
    uint256 internal constant SCORE = 330;
    uint256 internal constant ACCOUNT = 338;
    uint256 internal constant INPUTS = 342;
    uint256 internal constant PASSED = 346;
    uint256 internal constant UNITS = 350;
    uint256 internal constant STAKES = 354;
    uint256 internal constant SHARES = 370;
    uint256 internal constant ROOTS = 386;
    uint256 internal constant FAULT = 450;
    uint256 internal constant END = 455;
}

/// @dev Where the fields of an account are.
library AccountField {
    uint256 internal constant CUMULATIVE = 20;
    uint256 internal constant DEBT = 36;
    uint256 internal constant MEMORY = 44;
    uint256 internal constant TOTAL = 52;
    uint256 internal constant ROW = 68;
    uint256 internal constant END = 72;
}

/// @dev The rounds of tests/vectors/settled.json, honest until a test changes a leaf and states the roots anew.
abstract contract Settled is Proving {
    uint64 internal constant ROUNDS = 3;
    uint256 internal constant OK = 0;
    uint256 internal constant LATE = 1;
    uint256 internal constant WITHHELD = 2;
    uint256 internal constant INVALID = 3;
    uint256 internal constant CLIPPED = 4;
    uint256 internal constant GATED = 5;
    uint256 internal constant UNAVAILABLE = 6;
    uint256 internal constant NO_FAULT = type(uint40).max;
    uint256 internal constant COMMIT_LEAF = 118;
    uint256 internal constant INPUT_LEAF = 56;
    uint256 internal constant ENTRY = 48;
    uint256 internal constant FORCED_COMMIT = 52;

    string private _file = files.readFile("tests/vectors/settled.json");
    uint64 private _parsed;

    bytes[] internal rows;
    bytes[] internal inputs;
    bytes[] internal accounts;
    bytes[] internal commits;
    bytes internal medians;
    bytes internal forced; // node and commitment of each
    bytes internal parent; // result and statement
    bytes[] internal parentAccounts;

    function setUp() public virtual override {
        super.setUp();
        arrange(2);
    }

    /// @dev Accuses one of the rounds, as it should be.
    function arrange(uint64 round) internal {
        _parsed = round;
        accused.round = round;
        (rows, inputs) = (split(words("rows"), RowField.END), split(words("inputs"), INPUT_LEAF));
        accounts = split(words("accounts"), AccountField.END);
        commits = split(words("commits"), COMMIT_LEAF);
        (medians, forced) = (words("medians"), words("forced"));
        accused.result = abi.decode(words("result"), (IRounds.Result));
        accused.statement = abi.decode(words("statement"), (IStatements.Statement));
        rules.minStake = uint128(bytes16(words("min_stake")));
        rules.maxStake = uint128(bytes16(words("max_stake")));
        rules.roundBudget = uint128(bytes16(words("round_budget")));
        rules.chunks = uint32(number("chunks"));
        rules.scoredChunks = uint32(number("scored_chunks"));
        rules.admittedOnly = false;
        chain.setRules(rules);
        state.openBlock = uint48(number("open_block"));
        state.parent = uint32(round - 1);
        chain.setRound(round, state);
        bytes memory stakes = words("stakes");
        for (uint256 at = 0; at < stakes.length; at += RowField.COMMITMENT)
            chain.setStake(
                address(uint160(read(stakes, at, 20))),
                address(uint160(read(stakes, at + RowField.OWNER, 20))),
                state.openBlock - 1,
                read(stakes, at + RowField.STAKE, 16)
            );
        arrangeParent(round - 1);
        _parsed = round;
    }

    function arrangeParent(uint64 round) private {
        (parent, _parsed) = ("", round);
        delete parentAccounts;
        if (round == 0) return;
        bytes memory result = words("result");
        parent = bytes.concat(result, words("statement"));
        parentAccounts = split(words("accounts"), AccountField.END);
        IRounds.Round memory before;
        before.resultHash = keccak256(result);
        chain.setRound(round, before);
    }

    /// @dev States the roots of all leaves as they are now; inputs and accounts too many or too few are ShapeProver's.
    function restate() internal {
        accused.statement.rowsRoot = rootOf(hashesOf(rows), ROWS_DEPTH);
        accused.statement.inputsRoot = rootOf(hashesOf(inputs), ROWS_DEPTH);
        accused.result.accountsRoot = rootOf(hashesOf(accounts), ROWS_DEPTH);
        accused.result.commitsRoot = rootOf(hashesOf(commits), ROWS_DEPTH);
        accused.statement.mediansHash = sha256(medians);
        accused.statement.rows = uint32(rows.length);
        accused.statement.accounts = uint32(accounts.length);
        bytes32 hash;
        for (uint256 at = 0; at < forced.length; at += FORCED_COMMIT)
            hash = keccak256(abi.encode(hash, read(forced, at, 20), read(forced, at + 20, 32)));
        accused.result.forcedHash = hash;
    }

    function setRow(uint256 index, uint256 place, uint256 size, uint256 value) internal {
        bytes memory row = rows[index];
        put(row, place, size, value);
        rows[index] = row;
        restate();
    }

    function addToRow(uint256 index, uint256 place, uint256 size, uint256 value) internal {
        unchecked {
            setRow(index, place, size, rowAt(index, place, size) + value);
        }
    }

    function setAccount(uint256 index, uint256 place, uint256 size, uint256 value) internal {
        bytes memory account = accounts[index];
        put(account, place, size, value);
        accounts[index] = account;
        restate();
    }

    function addToAccount(uint256 index, uint256 place, uint256 size, uint256 value) internal {
        unchecked {
            setAccount(index, place, size, accountAt(index, place, size) + value);
        }
    }

    function setMedian(uint256 place, uint256 size, uint256 value) internal {
        bytes memory list = medians;
        put(list, place, size, value);
        medians = list;
        restate();
    }

    function removeRow(uint256 index) internal {
        for (uint256 i = index; i + 1 < rows.length; ++i) rows[i] = rows[i + 1];
        rows.pop();
        restate();
    }

    function insertRow(uint256 index, bytes memory row) internal {
        rows.push(row);
        for (uint256 i = rows.length - 1; i > index; --i) swap(rows, i - 1, i);
        restate();
    }

    function swap(bytes[] storage leaves, uint256 first, uint256 second) internal {
        bytes memory leaf = leaves[first];
        leaves[first] = leaves[second];
        leaves[second] = leaf;
    }

    // What leaves say

    function rowAt(uint256 index, uint256 place, uint256 size) internal view returns (uint256) {
        return read(rows[index], place, size);
    }

    function accountAt(uint256 index, uint256 place, uint256 size) internal view returns (uint256) {
        return read(accounts[index], place, size);
    }

    function nodeOf(bytes memory leaf) internal pure returns (uint256) {
        return read(leaf, 0, 20);
    }

    function counts(uint256 index) internal view returns (bool) {
        return passed(index) || rowAt(index, RowField.STATUS, 1) == GATED;
    }

    function passed(uint256 index) internal view returns (bool) {
        uint256 status = rowAt(index, RowField.STATUS, 1);
        return status == OK || status == CLIPPED;
    }

    /// @dev The first row of a status.
    function find(uint256 status) internal view returns (uint256 index) {
        while (rowAt(index, RowField.STATUS, 1) != status) ++index;
    }

    // The file

    function words(string memory field) internal view returns (bytes memory) {
        return files.parseJsonBytes(_file, key(field));
    }

    function number(string memory field) private view returns (uint256) {
        return files.parseJsonUint(_file, key(field));
    }

    function key(string memory field) private view returns (string memory) {
        bytes1 digit = bytes1(uint8(48 + _parsed));
        return string.concat(".rounds.", string(abi.encodePacked(digit)), ".", field);
    }

    function split(bytes memory side, uint256 size) private pure returns (bytes[] memory leaves) {
        leaves = new bytes[](side.length / size);
        for (uint256 i = 0; i < leaves.length; ++i) leaves[i] = part(side, size * i, size * (i + 1));
    }

    /// @dev Reads a number of `size` bytes.
    function read(bytes memory data, uint256 place, uint256 size) internal pure returns (uint256) {
        return uint256(bytes32(part(data, place, place + size))) >> (256 - 8 * size);
    }
}
