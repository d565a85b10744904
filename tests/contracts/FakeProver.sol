// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../contracts/interfaces/IProver.sol";

/// @dev A prover that finds what it is asked to find.
contract FakeProver is IProver {
    uint8 internal constant GUILTY = 0;
    uint8 internal constant NOT_GUILTY = 1;
    uint8 internal constant BAD_PROOF = 2;
    uint8 internal constant STARVED = 3; // reverts without a word

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external pure {
        if (claim == NOT_GUILTY) revert NotGuilty();
        if (claim == BAD_PROOF) revert BadProof();
        // solhint-disable-next-line gas-custom-errors, reason-string
        if (claim == STARVED) revert();
        if (claim != GUILTY) revert BadShape();
        // a proof that begins with the hash of the case checks that it is handed on whole
        if (proof.length == 32 && bytes32(proof) != keccak256(abi.encode(accused))) revert BadProof();
    }
}
