// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Draws who attests that an update can be had: docs/protocol.md, "Attestations"
/// @notice Each member of a round is drawn by itself, so that nobody needs a list of all: about as many as this of a large
/// round, all of a small one.
library Attesters {
    uint256 private constant DRAWN = 15;

    /// @notice Returns whether a member of a round is drawn.
    /// @param seed the round's seed
    /// @param member the member
    /// @param others number of members beside the one whose update it is
    /// @return whether it is
    function isDrawn(bytes32 seed, address member, uint256 others) internal pure returns (bool) {
        if (others <= DRAWN) return true;
        // slither-disable-next-line divide-before-multiply (the product would not fit into a word)
        return
            uint256(sha256(abi.encodePacked(seed, "attest", member))) < (type(uint256).max / others) * DRAWN;
    }

    /// @notice Returns how many attestations are most of those drawn.
    /// @param others number of members beside the one whose update it is
    /// @return the number
    function countMost(uint256 others) internal pure returns (uint256) {
        return Math.min(others, DRAWN) / 2 + 1;
    }
}
