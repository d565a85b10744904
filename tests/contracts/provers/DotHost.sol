// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Cursor, Cursors } from "../../../contracts/provers/Cursors.sol";
import { Dots } from "../../../contracts/provers/Dots.sol";

/// @dev Checks a step of totals that the caller names, as a prover would one that a statement binds.
contract DotHost {
    function isWrong(Dots.Product memory product, bytes calldata proof) external view returns (bool wrong) {
        Cursor memory cursor = Cursors.over(proof);
        wrong = Dots.takeWrongStep(cursor, product);
        cursor.requireEnd();
    }
}
