// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IForcedReveals } from "../../../contracts/interfaces/IForcedReveals.sol";
import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { AvailabilityProver } from "../../../contracts/provers/AvailabilityProver.sol";
import { RowField, Settled } from "./Settled.sol";

/// @dev A row that says an update was not there convicts where the Superlink signed otherwise, or the chain says otherwise.
contract AvailabilityProverTest is Settled {
    uint8 private constant RECEIPT = 0;
    uint8 private constant FORCED = 1;
    uint8 private constant COUNT = 2;
    uint8 private constant FAULT = 3;
    uint8 private constant ATTESTED = 4;
    uint8 private constant CLAIMS = 5;
    uint256 private constant KEY = 0x5717;
    uint256 private constant CHUNK = 1;
    uint256 private constant LENGTH = 260;

    bytes4 private immutable NOT_GUILTY = IProver.NotGuilty.selector;
    bytes4 private immutable BAD_PROOF = IProver.BadProof.selector;
    bytes[] private _body;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new AvailabilityProver(coordinator, IForcedReveals(address(coordinator)));
    }

    function setUp() public override {
        super.setUp();
        rules.superlink = vm.addr(KEY);
        (rules.codec, rules.chunks) = (INT8, 3);
        chain.setRules(rules);
        state.opening = keccak256("opening");
        chain.setRound(accused.round, state);
    }

    // Proofs

    function show(uint256 i) private view returns (bytes memory) {
        return abi.encodePacked(uint32(i), opened(rows, i, ROWS_DEPTH));
    }

    function receiptOf(uint256 i, uint256 key, bytes32 commitment) private view returns (bytes memory) {
        bytes32 typehash = keccak256(
            "Revealed(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment,bytes32 bodyRoot)"
        );
        address node = address(uint160(nodeOf(rows[i])));
        bytes32 root = keccak256("body");
        bytes32 message = keccak256(
            abi.encode(typehash, TASK, accused.round, state.opening, node, commitment, root)
        );
        return abi.encodePacked(root, sign(key, message));
    }

    function proveReceipt(uint256 i) private view returns (bytes memory) {
        return bytes.concat(show(i), receiptOf(i, KEY, commitmentOf(i)));
    }

    function commitmentOf(uint256 i) private view returns (bytes32) {
        return bytes32(rowAt(i, RowField.COMMITMENT, 32));
    }

    function setStatus(uint256 i, uint256 status) private {
        setRow(i, RowField.STATUS, 1, status);
    }

    function nodeAt(uint256 i) private view returns (address) {
        return address(uint160(nodeOf(rows[i])));
    }

    /// @dev The row's node opened its commitment on chain.
    function force(uint256 i) private {
        chain.setRevealed(TASK, accused.round, nodeAt(i), commitmentOf(i));
    }

    function missing(uint256 which) private pure returns (uint256) {
        return [LATE, WITHHELD, UNAVAILABLE][which];
    }

    // Receipts

    function test_receipt__row_says_that_the_update_is_missing_or_invalid__convicts() public {
        refuses(RECEIPT, proveReceipt(0), NOT_GUILTY);
        for (uint256 which = 0; which < 3; ++which) {
            setStatus(0, missing(which));
            convicts(RECEIPT, proveReceipt(0));
            refusesLike(RECEIPT, proveReceipt(0), 60 * which, 1);
        }
        setStatus(0, INVALID);
        convicts(RECEIPT, proveReceipt(0));
    }

    function test_receipt__of_a_node_with_too_small_a_stake__may_be_invalid() public {
        setStatus(0, INVALID);
        rules.minStake = uint128(rowAt(0, RowField.STAKE, 16)) + 1;
        chain.setRules(rules);
        refuses(RECEIPT, proveReceipt(0), NOT_GUILTY);
        setStatus(0, LATE);
        convicts(RECEIPT, proveReceipt(0));
    }

    function test_receipt__of_another_signer_commitment_or_opening__is_none() public {
        setStatus(0, LATE);
        refuses(RECEIPT, bytes.concat(show(0), receiptOf(0, KEY + 1, commitmentOf(0))), BAD_PROOF);
        refuses(RECEIPT, bytes.concat(show(0), receiptOf(0, KEY, commitmentOf(1))), BAD_PROOF);
        bytes memory proof = proveReceipt(0);
        state.opening = keccak256("another");
        chain.setRound(accused.round, state);
        refuses(RECEIPT, proof, BAD_PROOF);
    }

    // The chain's record

    function test_forced__withheld_late_or_not_forced__convicts() public {
        for (uint256 which = 0; which < 3; ++which) {
            setStatus(0, missing(which));
            if (missing(which) == UNAVAILABLE) convicts(FORCED, show(0));
            else refuses(FORCED, show(0), NOT_GUILTY);
        }
        force(0);
        for (uint256 which = 0; which < 3; ++which) {
            setStatus(0, missing(which));
            if (missing(which) == UNAVAILABLE) refuses(FORCED, show(0), NOT_GUILTY);
            else convicts(FORCED, show(0));
        }
        setStatus(0, INVALID);
        refuses(FORCED, show(0), NOT_GUILTY);
    }

    function test_forced__another_commitment_of_the_node__is_not_the_rows() public {
        chain.setRevealed(TASK, accused.round, nodeAt(0), commitmentOf(1));
        setStatus(0, WITHHELD);
        refuses(FORCED, show(0), NOT_GUILTY);
        setRow(0, RowField.COMMITMENT, 32, 0); // of a node that opened nothing
        chain.setRevealed(TASK, accused.round, nodeAt(0), 0);
        refuses(FORCED, show(0), NOT_GUILTY);
    }

    // Attestations

    function test_attested__missing_or_invalid_without_a_fault__convicts() public {
        force(0);
        chain.setAttested(TASK, accused.round, nodeAt(0));
        refuses(ATTESTED, show(0), NOT_GUILTY);
        for (uint256 which = 0; which < 3; ++which) {
            setStatus(0, missing(which));
            convicts(ATTESTED, show(0));
            refuses(ATTESTED, bytes.concat(show(0), hex"00"), BAD_PROOF);
        }
        setStatus(0, INVALID);
        convicts(ATTESTED, show(0));
        setRow(0, RowField.FAULT, 5, 7);
        refuses(ATTESTED, show(0), NOT_GUILTY);
        setRow(0, RowField.FAULT, 5, NO_FAULT);
        rules.minStake = uint128(rowAt(0, RowField.STAKE, 16)) + 1;
        chain.setRules(rules);
        refuses(ATTESTED, show(0), NOT_GUILTY);
    }

    function test_attested__not_forced_or_by_too_few__not_guilty() public {
        setStatus(0, UNAVAILABLE);
        chain.setAttested(TASK, accused.round, nodeAt(0));
        refuses(ATTESTED, show(0), NOT_GUILTY);
        setStatus(1, UNAVAILABLE);
        force(1);
        refuses(ATTESTED, show(1), NOT_GUILTY);
    }

    function test_count__all_revealed_and_one_missing__convicts() public {
        (state.commits, accused.result.revealed) = (5, 6);
        chain.setRound(accused.round, state);
        chain.setForced(1);
        refuses(COUNT, show(0), NOT_GUILTY);
        for (uint256 which = 0; which < 3; ++which) {
            setStatus(0, missing(which));
            convicts(COUNT, show(0));
        }
        accused.result.revealed = 5;
        refuses(COUNT, show(0), NOT_GUILTY);
    }

    // Faults

    /// @dev States a fault of row 0, whose update has some in its second chunk; returns the proof.
    function setFault(uint256 chunk, uint256 value) private returns (bytes memory) {
        delete _body;
        for (uint256 i = 0; i < rules.chunks; ++i) _body.push(new bytes(LENGTH));
        _body[CHUNK][7] = 0x80;
        _body[CHUNK][257] = 0x20; // of the values 64 to 127
        setRow(0, RowField.BODY_ROOT, 32, uint256(rootOf(hashesOf(_body), rules.bodyDepth)));
        setRow(0, RowField.FAULT, 5, (chunk << 8) | value);
        bytes memory chunk_ = chunk < _body.length ? opened(_body, chunk, rules.bodyDepth) : bytes("");
        return bytes.concat(show(0), chunk_);
    }

    function test_fault__in_the_update__not_guilty() public {
        setStatus(0, INVALID);
        refuses(FAULT, setFault(CHUNK, 7), NOT_GUILTY);
        refuses(FAULT, setFault(CHUNK, 64), NOT_GUILTY);
        refuses(FAULT, setFault(CHUNK, 127), NOT_GUILTY);
        refuses(FAULT, show(0), BAD_PROOF);
    }

    function test_fault__not_in_the_update_or_of_no_chunk__convicts() public {
        setStatus(0, INVALID);
        convicts(FAULT, setFault(CHUNK, 6));
        convicts(FAULT, setFault(CHUNK, 128));
        convicts(FAULT, setFault(2, 7));
        convicts(FAULT, setFault(3, 7));
    }

    function test_fault__of_an_update_that_is_not_invalid__convicts() public {
        refuses(FAULT, show(0), NOT_GUILTY);
        setFault(CHUNK, 7);
        convicts(FAULT, show(0));
    }

    // All

    function test_claims__unknown_one__has_no_shape() public view {
        refuses(CLAIMS, show(0), IProver.BadShape.selector);
    }

    function testFuzz_honest__any_claim_of_any_row__not_guilty(
        uint8 round,
        uint256 i,
        uint8 claim,
        bytes calldata rest
    ) public {
        arrange(uint64(1 + (round % ROUNDS)));
        claim %= CLAIMS;
        state.commits = uint32(rows.length);
        chain.setRound(accused.round, state);
        (bool guilty, ) = accuse(claim, show(i % rows.length));
        require(!guilty, "an honest row convicts");
        (guilty, ) = accuse(claim, bytes.concat(show(i % rows.length), rest));
        require(!guilty, "an honest row convicts");
    }
}
