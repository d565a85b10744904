// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Attesters } from "../../contracts/Attesters.sol";
import { ForcedReveals } from "../../contracts/ForcedReveals.sol";
import { IForcedReveals } from "../../contracts/interfaces/IForcedReveals.sol";
import { IMembers } from "../../contracts/interfaces/IMembers.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { Files } from "./provers/Proving.sol";
import { RoundCalls } from "./RoundCalls.sol";

/// @dev Commitments are opened by way of the chain while the Superlink can still see it before it settles, and members attest
/// that they have what was committed to.
contract ForcedRevealsTest is RoundCalls {
    bytes32 private constant CID = keccak256("cid");
    bytes32 private constant ROOT = keccak256("root");
    bytes32 private constant SALT = keccak256("salt");
    bytes32 private immutable OPENED = keccak256(abi.encode(CID, ROOT, SALT));

    Files private constant files = Files(address(vm));

    ForcedReveals private _reveals;

    function setUp() public override {
        super.setUp();
        _reveals = new ForcedReveals(coordinator);
    }

    function revealCall() private view returns (bytes memory) {
        return abi.encodeCall(IForcedReveals.reveal, (task, 1, CID, ROOT, SALT));
    }

    function attestCall(uint256 i) private view returns (bytes memory) {
        return attestCall(i, bytes32(block.prevrandao));
    }

    function attestCall(uint256 i, bytes32 seed) private view returns (bytes memory) {
        return abi.encodeCall(IForcedReveals.attest, (task, 1, node(i), commitsRoot(1), seed));
    }

    function refused(address sender, bytes memory data, bytes memory reason) private {
        refuses(sender, address(_reveals), data, reason);
    }

    function reveal(uint256 i) private {
        vm.prank(node(i));
        _reveals.reveal(task, 1, CID, ROOT, SALT);
    }

    function attest(uint256 member, uint256 i) private {
        bytes memory data = attestCall(i); // hashed before the prank, which is for one call
        vm.prank(node(member));
        // solhint-disable-next-line avoid-low-level-calls
        (bool done, ) = address(_reveals).call(data);
        check(done);
    }

    // Reveals

    function test_reveal__closed__recorded_once_for_each_node() public {
        open();
        close(1, 3);
        vm.expectEmit();
        emit IForcedReveals.ForcedReveal(task, 1, node(0), OPENED, CID, ROOT, SALT);
        reveal(0);
        eq(_reveals.commitmentOf(task, 1, node(0)), OPENED);
        eq(_reveals.commitmentOf(task, 2, node(0)), 0);
        eq(_reveals.commitmentOf(task, 1, node(1)), 0);
        eq(_reveals.countOf(task, 1), 1);
        bytes4 selector = IForcedReveals.AlreadyRevealed.selector;
        refused(node(0), revealCall(), abi.encodeWithSelector(selector, task, uint64(1), node(0)));
        reveal(1);
        eq(_reveals.countOf(task, 1), 2);
    }

    function test_reveal__by_a_stranger__refused() public {
        open();
        close(1, 3);
        refused(ANYONE, revealCall(), abi.encodeWithSelector(IMembers.NotJoined.selector, task, ANYONE));
    }

    function test_reveal__not_closed__refused() public {
        open();
        refused(node(0), revealCall(), wrongPhase(1, IRounds.Phase.Open));
        close(1, 2, 1);
        IRounds.Result memory r = result(1);
        r.revealed = 2;
        post(1, r);
        refused(node(0), revealCall(), wrongPhase(1, IRounds.Phase.Posted));
    }

    function test_reveal__until_a_part_before_the_deadline__by_block_time() public {
        open();
        close(1, 2, 1);
        uint256 end = block.timestamp + REVEAL - REVEAL / 8;
        vm.warp(end - 1);
        reveal(0);
        vm.warp(end);
        refused(node(1), revealCall(), tooLate(end));
    }

    // Attestations

    function test_attest__most_of_the_others__attested() public {
        open();
        close(1, 3);
        reveal(0);
        bytes memory data = attestCall(0);
        vm.expectEmit();
        emit IForcedReveals.Attested(task, 1, node(0), node(1));
        vm.prank(node(1));
        // solhint-disable-next-line avoid-low-level-calls
        (bool done, ) = address(_reveals).call(data);
        check(done);
        eq(_reveals.attestationsOf(task, 1, node(0)), 1);
        check(!_reveals.isAttested(task, 1, node(0)));
        attest(2, 0);
        eq(_reveals.attestationsOf(task, 1, node(0)), 2);
        check(_reveals.isAttested(task, 1, node(0)));
        check(!_reveals.isAttested(task, 1, node(1)));
    }

    function test_attest__of_a_node_that_opened_nothing__refused() public {
        open();
        close(1, 3);
        bytes4 selector = IForcedReveals.NotRevealed.selector;
        refused(node(1), attestCall(0), abi.encodeWithSelector(selector, task, uint64(1), node(0)));
    }

    function test_attest__twice_for_itself_or_by_a_stranger__refused() public {
        open();
        close(1, 3);
        reveal(0);
        bytes memory reason = abi.encodeWithSelector(
            IForcedReveals.NotDrawn.selector,
            task,
            uint64(1),
            node(0)
        );
        refused(node(0), attestCall(0), reason);
        refused(ANYONE, attestCall(0), abi.encodeWithSelector(IMembers.NotJoined.selector, task, ANYONE));
        attest(1, 0);
        reason = abi.encodeWithSelector(
            IForcedReveals.AlreadyAttested.selector,
            task,
            uint64(1),
            node(0),
            node(1)
        );
        refused(node(1), attestCall(0), reason);
    }

    function test_attest__with_another_seed__refused() public {
        open();
        close(1, 3);
        reveal(0);
        bytes4 selector = IForcedReveals.WrongClosing.selector;
        refused(
            node(1),
            attestCall(0, bytes32(block.prevrandao + 1)),
            abi.encodeWithSelector(selector, task, uint64(1))
        );
    }

    function test_attest__until_the_reveal_deadline__and_not_of_another_phase() public {
        open();
        refused(node(1), attestCall(0), wrongPhase(1, IRounds.Phase.Open));
        close(1, 3);
        uint256 end = block.timestamp + REVEAL;
        reveal(0);
        vm.warp(end - 1);
        attest(1, 0);
        vm.warp(end);
        refused(node(2), attestCall(0), tooLate(end));
    }

    function test_attest__of_many_members__the_drawn_alone() public {
        for (uint256 i = 10; i < 40; ++i) {
            registerKey(key(i), STAKE);
            join(i);
        }
        vm.roll(block.number + 1);
        open();
        close(1, 33);
        reveal(0);
        uint256 drawn = 0;
        for (uint256 i = 10; i < 40; ++i) {
            if (Attesters.isDrawn(bytes32(block.prevrandao), node(i), 32)) {
                attest(i, 0);
                ++drawn;
                check(_reveals.isAttested(task, 1, node(0)) == (drawn >= 8));
                continue;
            }
            bytes4 selector = IForcedReveals.NotDrawn.selector;
            refused(node(i), attestCall(0), abi.encodeWithSelector(selector, task, uint64(1), node(i)));
        }
        check(drawn > 7 && drawn < 25);
    }

    function test_attesters__vectors__as_dao_core_has_them() public view {
        string memory file = files.readFile("tests/vectors/rounds.json");
        for (uint256 i = 0; i < 32; ++i) {
            string memory key_ = string.concat(".attesters[", decimal(i), "].");
            bytes32 seed = bytes32(files.parseJsonBytes(file, string.concat(key_, "seed")));
            address member = address(bytes20(files.parseJsonBytes(file, string.concat(key_, "member"))));
            uint256 others = files.parseJsonUint(file, string.concat(key_, "others"));
            uint256 isOne = files.parseJsonUint(file, string.concat(key_, "drawn"));
            check(Attesters.isDrawn(seed, member, others) == (isOne == 1));
            eq(Attesters.countMost(others), files.parseJsonUint(file, string.concat(key_, "most")));
        }
    }
}
