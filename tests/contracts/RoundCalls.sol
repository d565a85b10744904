// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IChallenges } from "../../contracts/interfaces/IChallenges.sol";
import { IForcedCommits } from "../../contracts/interfaces/IForcedCommits.sol";
import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Base } from "./Base.sol";

/// @dev The calls and errors that tests of rounds name, in one word each.
abstract contract RoundCalls is Base {
    function change(ITasks.TaskRules memory r) internal {
        vm.prank(DAO);
        coordinator.changeRules(task, r);
    }

    function wrongPhase(uint64 round, IRounds.Phase actual) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IRounds.WrongPhase.selector, task, round, actual);
    }

    function tooEarly(uint256 time) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRounds.TooEarly.selector, time);
    }

    function tooLate(uint256 time) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRounds.TooLate.selector, time);
    }

    function badResult(string memory what) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRounds.BadResult.selector, what);
    }

    function notJoined(uint256 i) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IMembers.NotJoined.selector, task, node(i));
    }

    function quorumMissed(uint256 count, uint256 quorum) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRounds.QuorumMissed.selector, count, quorum);
    }

    function closeCall(uint64 round, uint32 commits) internal view returns (bytes memory) {
        return closeCall(round, commits, 0);
    }

    function closeCall(uint64 round, uint32 commits, uint32 passes) internal view returns (bytes memory) {
        return closeCall(round, coordinator.forcedHashOf(task, round), commits, passes);
    }

    function closeCall(
        uint64 round,
        bytes32 forcedHash,
        uint32 commits,
        uint32 passes
    ) internal view returns (bytes memory) {
        uint48 openBlock = coordinator.roundOf(task, round).openBlock;
        bytes32 root = commitsRoot(round);
        return
            abi.encodeCall(IRounds.closeCommits, (task, round, openBlock, root, forcedHash, commits, passes));
    }

    function commitCall(uint64 round, uint256 i) internal view returns (bytes memory) {
        bytes32 value = commitment(i, round);
        return
            abi.encodeCall(IForcedCommits.commit, (task, round, node(i), value, signCommit(round, i, value)));
    }

    function postCall(uint64 round, IRounds.Result memory r) internal view returns (bytes memory) {
        return abi.encodeCall(IRounds.postResult, (task, round, r));
    }

    function revealing(uint32 count) internal view returns (IRounds.Result memory r) {
        r = result(1);
        r.revealed = count;
    }

    function finalizeCall(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(IRounds.finalize, (task, round, result(round)));
    }

    function abortCall(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(IRounds.abort, (task, round));
    }

    function voidCall(uint64 round) internal view returns (bytes memory) {
        return abi.encodeCall(IChallenges.voidRound, (task, round));
    }
}
