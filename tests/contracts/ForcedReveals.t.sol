// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ForcedReveals } from "../../contracts/ForcedReveals.sol";
import { IForcedReveals } from "../../contracts/interfaces/IForcedReveals.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev Commitments are opened by way of the chain while the Superlink can still see it before it settles.
contract ForcedRevealsTest is RoundCalls {
    bytes32 private constant CID = keccak256("cid");
    bytes32 private constant ROOT = keccak256("root");
    bytes32 private constant SALT = keccak256("salt");
    bytes32 private immutable OPENED = keccak256(abi.encode(CID, ROOT, SALT));

    ForcedReveals private _reveals;

    function setUp() public override {
        super.setUp();
        _reveals = new ForcedReveals(coordinator);
    }

    function call(bytes32 salt) private view returns (bytes memory) {
        return abi.encodeCall(IForcedReveals.reveal, (task, 1, CID, ROOT, salt));
    }

    function refused(bytes32 salt, bytes memory reason) private {
        (bool done, bytes memory answer) = address(_reveals).call(call(salt));
        require(!done, "not refused");
        require(keccak256(answer) == keccak256(reason), "refused with another error");
    }

    function test_reveal__closed__recorded_once() public {
        open();
        close(1, 2, 1);
        vm.expectEmit();
        emit IForcedReveals.ForcedReveal(task, 1, OPENED, CID, ROOT, SALT);
        _reveals.reveal(task, 1, CID, ROOT, SALT);
        require(_reveals.isRevealed(task, 1, OPENED), "not recorded");
        require(!_reveals.isRevealed(task, 2, OPENED), "of another round");
        eq(_reveals.countOf(task, 1), 1);
        refused(
            SALT,
            abi.encodeWithSelector(IForcedReveals.AlreadyRevealed.selector, task, uint64(1), OPENED)
        );
        _reveals.reveal(task, 1, CID, ROOT, keccak256("other"));
        eq(_reveals.countOf(task, 1), 2);
    }

    function test_reveal__not_closed__refused() public {
        open();
        refused(SALT, wrongPhase(1, IRounds.Phase.Open));
        close(1, 2, 1);
        IRounds.Result memory r = result(1);
        r.revealed = 2;
        post(1, r);
        refused(SALT, wrongPhase(1, IRounds.Phase.Posted));
    }

    function test_reveal__until_a_part_before_the_deadline__by_block_time() public {
        open();
        close(1, 2, 1);
        uint256 end = block.timestamp + REVEAL - REVEAL / 8;
        vm.warp(end - 1);
        _reveals.reveal(task, 1, CID, ROOT, SALT);
        vm.warp(end);
        refused(keccak256("late"), tooLate(end));
    }
}
