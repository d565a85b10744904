// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ITrainingCoordinator as I } from "../../contracts/interfaces/ITrainingCoordinator.sol";
import { Base } from "./Base.sol";

/// @dev What tests of rounds call and expect, in one word each.
abstract contract RoundCalls is Base {
    function wrongPhase(uint64 round, I.Phase actual) internal view returns (bytes memory) {
        return abi.encodeWithSelector(I.WrongPhase.selector, task, round, actual);
    }

    function tooEarly(uint256 time) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(I.TooEarly.selector, time);
    }

    function tooLate(uint256 time) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(I.TooLate.selector, time);
    }

    function badResult(string memory what) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(I.BadResult.selector, what);
    }

    function closeCall(uint64 round, uint32 commits) internal view returns (bytes memory) {
        return abi.encodeCall(I.closeCommits, (task, round, commitsRoot(round), commits));
    }

    function commitCall(uint64 round, uint256 i) internal view returns (bytes memory) {
        bytes32 value = commitment(i, round);
        return abi.encodeCall(I.commit, (task, round, node(i), value, signCommit(round, i, value)));
    }

    function postCall(uint64 round, I.Result memory r) internal view returns (bytes memory) {
        return abi.encodeCall(I.postResult, (task, round, bytes32(block.prevrandao), r));
    }

    function finalizeCall(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(I.finalize, (task, round, result(round)));
    }

    function dismissCall(uint64 round, uint256 i) internal view returns (bytes memory) {
        return
            abi.encodeCall(
                I.dismiss,
                (task, round, node(i), commitment(i, round), i, proofOf(round, i), result(round))
            );
    }

    function abortCall(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(I.abort, (task, round));
    }

    function voidCall(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(I.voidRound, (task, round));
    }
}
