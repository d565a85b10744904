// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { AccountField, RowField, Settled } from "./Settled.sol";

library RowsClaim {
    uint8 internal constant ORDER = 0;
    uint8 internal constant STAKE = 1;
    uint8 internal constant REVEAL = 2;
    uint8 internal constant INPUT = 3;
    uint8 internal constant TOTALS = 4;
    uint8 internal constant SUMS = 5;
    uint8 internal constant DROPPED = 6;
    uint8 internal constant UNCOMMITTED = 7;
    uint8 internal constant ACCOUNT = 8;
    uint8 internal constant FORCED = 9;
    uint8 internal constant COUNT = 10;
}

library WeightsClaim {
    uint8 internal constant UNIT = 0;
    uint8 internal constant MEMORY = 1;
    uint8 internal constant GATE = 2;
    uint8 internal constant CLIP = 3;
    uint8 internal constant LIST = 4;
    uint8 internal constant NORM_MEDIAN = 5;
    uint8 internal constant ALONG_MEDIAN = 6;
    uint8 internal constant COUNT = 7;
}

library ScoresClaim {
    uint8 internal constant SCORE = 0;
    uint8 internal constant SHARE = 1;
    uint8 internal constant COUNT = 2;
}

library AccountsClaim {
    uint8 internal constant FEWER = 0;
    uint8 internal constant OWNER = 1;
    uint8 internal constant UNMOVED = 2;
    uint8 internal constant MOVED = 3;
    uint8 internal constant TOTAL = 4;
    uint8 internal constant REWARD_TOTAL = 5;
    uint8 internal constant TWICE = 6;
    uint8 internal constant ORDER = 7;
    uint8 internal constant COUNT = 8;
}

/// @dev The proofs of dao/proofs/settlements.py, opened of the leaves of a test.
abstract contract Settlements is Settled {
    bytes4 internal immutable NOT_GUILTY = IProver.NotGuilty.selector;
    bytes4 internal immutable BAD_PROOF = IProver.BadProof.selector;

    function proveRow(uint8 claim, uint256 i) internal view returns (bytes memory) {
        if (claim == RowsClaim.SUMS) return rowBefore(rows.length);
        if (claim == RowsClaim.DROPPED)
            return bytes.concat(head(i), show(commits, i), rowOf(nodeOf(commits[i])));
        if (claim == RowsClaim.FORCED)
            return bytes.concat(head(i), allForced(), rowOf(read(forced, FORCED_COMMIT * i, 20)));
        bytes memory proof = bytes.concat(head(i), show(rows, i));
        if (claim == RowsClaim.ORDER || claim == RowsClaim.TOTALS) return bytes.concat(proof, rowBefore(i));
        if (claim == RowsClaim.INPUT)
            return bytes.concat(proof, show(inputs, rowAt(i, RowField.INPUTS, 4) - 1));
        uint256 account = rowAt(i, RowField.ACCOUNT, 4);
        if (claim == RowsClaim.ACCOUNT && account < accounts.length)
            return bytes.concat(proof, show(accounts, account));
        return claim == RowsClaim.UNCOMMITTED ? bytes.concat(proof, commitOf(nodeOf(rows[i]))) : proof;
    }

    function proveWeight(uint8 claim, uint256 i) internal view returns (bytes memory) {
        if (claim == WeightsClaim.NORM_MEDIAN || claim == WeightsClaim.ALONG_MEDIAN) return medians;
        bytes memory proof = bytes.concat(head(i), show(rows, i));
        if (claim == WeightsClaim.UNIT) return bytes.concat(proof, rowBefore(i), rowBefore(rows.length));
        if (claim == WeightsClaim.MEMORY)
            return bytes.concat(proof, parent, before(rowAt(i, RowField.ACCOUNT, 4)));
        return claim == WeightsClaim.LIST ? bytes.concat(proof, rowBefore(rows.length), medians) : proof;
    }

    function proveScore(uint8 claim, uint256 i) internal view returns (bytes memory) {
        bytes memory proof = bytes.concat(head(i), show(rows, i));
        if (claim == ScoresClaim.SCORE) return proof;
        return bytes.concat(proof, rowBefore(i), parent, before(rowAt(i, RowField.ACCOUNT, 4)));
    }

    /// @dev TWICE is of the account and the one before it.
    function proveAccount(uint8 claim, uint256 i) internal view returns (bytes memory) {
        if (claim == AccountsClaim.FEWER) return parent;
        if (claim == AccountsClaim.REWARD_TOTAL) return accountBefore(accounts.length);
        if (claim == AccountsClaim.TWICE) return proveTwice(i - 1, i);
        if (claim == AccountsClaim.ORDER)
            return bytes.concat(head(i), parent, show(accounts, i), show(accounts, i - 1));
        bytes memory proof = bytes.concat(head(i), show(accounts, i));
        if (claim == AccountsClaim.TOTAL) return bytes.concat(proof, accountBefore(i));
        proof = bytes.concat(proof, parent, before(i));
        uint256 row = accountAt(i, AccountField.ROW, 4);
        if (claim != AccountsClaim.MOVED || row >= rows.length) return proof;
        return bytes.concat(proof, show(rows, row), rowBefore(row), rowBefore(rows.length));
    }

    function proveTwice(uint256 first, uint256 second) internal view returns (bytes memory) {
        return bytes.concat(head(first), head(second), show(accounts, first), show(accounts, second));
    }

    // Parts

    function head(uint256 index) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(index));
    }

    function show(bytes[] storage leaves, uint256 index) internal view returns (bytes memory) {
        require(index < leaves.length, "no such leaf");
        return opened(leaves, index, ROWS_DEPTH);
    }

    function rowBefore(uint256 index) internal view returns (bytes memory proof) {
        if (index != 0) proof = show(rows, index - 1);
    }

    function accountBefore(uint256 index) private view returns (bytes memory proof) {
        if (index != 0) proof = show(accounts, index - 1);
    }

    function before(uint256 account) internal view returns (bytes memory proof) {
        if (account < parentAccounts.length) proof = show(parentAccounts, account);
    }

    function allForced() internal view returns (bytes memory) {
        return bytes.concat(head(forced.length / FORCED_COMMIT), forced);
    }

    /// @dev A leaf of the tree of commits, or that there is none.
    function slot(uint256 index) internal view returns (bytes memory) {
        if (index < commits.length) return bytes.concat(hex"01", show(commits, index));
        return bytes.concat(hex"00", pathOf(hashesOf(commits), index, ROWS_DEPTH));
    }

    function rowOf(uint256 node) internal view returns (bytes memory proof) {
        (uint256 index, bool found) = placeOf(node, rows);
        proof = head(index);
        if (index < rows.length) proof = bytes.concat(proof, show(rows, index));
        if (!found) proof = bytes.concat(proof, rowBefore(index));
    }

    function commitOf(uint256 node) internal view returns (bytes memory proof) {
        (uint256 index, bool found) = placeOf(node, commits);
        proof = bytes.concat(allForced(), head(index), slot(index));
        if (!found && index != 0) proof = bytes.concat(proof, slot(index - 1));
    }

    function placeOf(uint256 node, bytes[] storage leaves) private view returns (uint256 index, bool found) {
        while (index < leaves.length && nodeOf(leaves[index]) < node) ++index;
        found = index < leaves.length && nodeOf(leaves[index]) == node;
    }

    // Honest rounds

    /// @dev Proofs for one prover: whether a claim has one at an index, and the proof.
    function has(uint8 claim, uint256 index) internal view virtual returns (bool);
    function prove(uint8 claim, uint256 index) internal view virtual returns (bytes memory);

    /// @dev Every claim at every index of each round: none convicts, and the proofs are those of dao/proofs.
    function refusesAll(uint8 claims, string memory name) internal {
        for (uint64 round = 1; round <= ROUNDS; ++round) {
            arrange(round);
            bytes32 hash = refusesRound(claims);
            require(hash == bytes32(words(string.concat("proofs.", name))), "Python writes other proofs");
        }
    }

    function refusesRound(uint8 claims) private view returns (bytes32) {
        bytes memory hashes;
        for (uint8 claim = 0; claim < claims; ++claim) {
            for (uint256 i = 0; i <= accounts.length; ++i) {
                if (!has(claim, i)) continue;
                bytes memory proof = prove(claim, i);
                hashes = bytes.concat(hashes, sha256(proof));
                (bool done, bytes memory answer) = accuse(claim, proof);
                bytes32 hash = keccak256(answer);
                require(!done, "convicted");
                require(
                    hash == keccak256(abi.encodePacked(NOT_GUILTY)) ||
                        hash == keccak256(abi.encodePacked(BAD_PROOF)),
                    "refused with another error"
                );
            }
        }
        return sha256(hashes);
    }

    /// @dev No proof of an honest round convicts, nor does what becomes of it by a change.
    function refusesChanged(uint8 claims, uint256 seed, uint256 place, uint8 change) internal {
        arrange(uint64(1 + (seed % ROUNDS)));
        uint8 claim = uint8((seed >> 8) % claims);
        uint256 index = (seed >> 16) % (accounts.length + 1);
        while (!has(claim, index)) {
            if (index == 0) return; // a round without such a one
            --index;
        }
        bytes memory proof = prove(claim, index);
        (bool done, ) = accuse(claim, proof);
        require(!done, "convicted");
        if (proof.length == 0) return; // of the first round, what its parent stated
        refusesLike(claim, proof, place, change | 1);
        // so are proofs of another claim, and of numbers that start another way
        (done, ) = accuse(uint8((claim + 1) % claims), proof);
        require(!done, "convicted by another claim's proof");
    }
}
