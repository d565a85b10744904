// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../interfaces/IProver.sol";
import { ITasks } from "../interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../interfaces/ITrainingCoordinator.sol";
import { Trees } from "../Trees.sol";
import { Codecs } from "./codecs/Codecs.sol";
import { Cursor, Cursors } from "./Cursors.sol";
import { AGGREGATE_LEAF, Prover, ROWS_DEPTH } from "./Prover.sol";

/// @title Shows a wrong sum of updates, or an update that is none: docs/disputes.md, "SumProver"
contract SumProver is Prover {
    /// @notice A value of the aggregate is not the sum of weight times value over all inputs; of a carried one, not their
    /// weighted median times the sum of weights.
    uint8 public constant AGGREGATE = 0;
    /// @notice A value of an input's update is none that a decoder takes.
    uint8 public constant CODEC = 1;
    /// @notice As AGGREGATE, by parts that were recorded, for more inputs than a transaction takes.
    uint8 public constant PARTS = 2;

    /// @dev A value of all updates.
    struct Place {
        uint256 chunk;
        uint256 value; // in its chunk, 0 to 255
        uint256 depth; // of body trees
        uint8 codec;
        uint256 leaf; // bytes of an update's leaf
        int256 pivot; // the median stated of a carried value, else 0
    }

    /// @dev What a block of inputs adds to a value: true of the tree of inputs, whoever recorded it.
    struct Part {
        int128 sum; // of the valid values
        bool broken; // a value is none that a decoder takes
        bool known;
        // weights of the valid ones: of all, below the pivot, and up to it
        uint32 all;
        uint32 below;
        uint32 upTo;
    }

    uint256 private constant NODE_AND_WEIGHT = 24; // bytes
    uint256 private constant BLOCK_HEIGHT = 6; // a block of inputs is a subtree of 64

    mapping(bytes32 key => Part) private _parts;

    /// @param coordinator_ the TrainingCoordinator
    constructor(ITrainingCoordinator coordinator_) Prover(coordinator_) {}

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata proof) external view {
        if (claim > PARTS) revert BadShape();
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(accused.task, accused.round);
        Cursor memory cursor = Cursors.over(proof);
        Place memory place = _takePlace(cursor, rules.bodyDepth, rules.codec);
        bool guilty;
        if (claim == CODEC) guilty = _isCodecBroken(accused, place, cursor);
        else {
            bytes32 root = accused.statement.aggregateRoot;
            bytes calldata leaf = cursor.takeLeaf(AGGREGATE_LEAF, root, place.chunk, place.depth);
            int256 stated = _total(leaf, place.value);
            int256 weightSum = int256(uint256(accused.result.weightSum));
            bool carried = place.chunk >= rules.scoredChunks;
            if (carried && weightSum != 0) place.pivot = stated / weightSum;
            Part memory sum =
                claim == AGGREGATE
                    ? _takeInputs(accused.statement.inputsRoot, place, cursor)
                    : _takeParts(accused.statement.inputsRoot, place, cursor);
            guilty = sum.broken || (carried ? !_isMedian(sum, place, stated, weightSum) : sum.sum != stated);
        }
        cursor.requireEnd();
        if (!guilty) revert NotGuilty();
    }

    /// @notice Records what a block of 64 inputs, or the last ones, adds to a value of the aggregate. Anyone may call.
    /// @param inputsRoot root of the tree of inputs, of any round
    /// @param depth depth of the bodies
    /// @param codec codec of the updates
    /// @param proof place, pivot, number of the block, its inputs, siblings of its subtree: docs/disputes.md
    function record(bytes32 inputsRoot, uint8 depth, uint8 codec, bytes calldata proof) external {
        Cursor memory cursor = Cursors.over(proof);
        Place memory place = _takePlace(cursor, depth, codec);
        place.pivot = int64(uint64(cursor.takeNumber(8)));
        uint256 number = cursor.takeNumber(4);
        uint256 siblings = ROWS_DEPTH - BLOCK_HEIGHT;
        (bytes32[] memory inputs, Part memory part) = _takeEach(place, cursor, 32 * siblings);
        if (inputs.length > 1 << BLOCK_HEIGHT || number >> siblings != 0) revert BadProof();
        bytes32 root = Trees.climbBlock(inputs, BLOCK_HEIGHT, number, cursor.takeHashes(siblings));
        cursor.requireEnd();
        if (root != inputsRoot) revert BadProof();

        _parts[_hashBlock(inputsRoot, place, number)] = part;
    }

    /// @dev All inputs are read, as many as the proof has: that there are no others is what the root of exactly these leaves
    /// shows, whatever number of inputs the result states. A value that is none makes any sum wrong.
    function _takeInputs(
        bytes32 inputsRoot,
        Place memory place,
        Cursor memory cursor
    ) private view returns (Part memory) {
        (bytes32[] memory inputs, Part memory sum) = _takeEach(place, cursor, 0);
        if (Trees.dense(inputs, ROWS_DEPTH) != inputsRoot) revert BadProof();
        return sum;
    }

    /// @dev All blocks are recorded, and no input follows them: there is none behind an absent one.
    function _takeParts(
        bytes32 inputsRoot,
        Place memory place,
        Cursor memory cursor
    ) private view returns (Part memory sum) {
        uint256 count = cursor.takeNumber(4);
        for (uint256 number = 0; number < count; ++number) {
            Part memory part = _parts[_hashBlock(inputsRoot, place, number)];
            if (!part.known) revert BadProof();
            sum.broken = sum.broken || part.broken;
            sum.sum += part.sum;
            (sum.all, sum.below, sum.upTo) = (
                sum.all + part.all,
                sum.below + part.below,
                sum.upTo + part.upTo
            );
        }
        if (cursor.takeRoot(0, count << BLOCK_HEIGHT, ROWS_DEPTH) != inputsRoot) revert BadProof();
    }

    /// @dev Reads inputs until `left` bytes are left.
    /// @return inputs hashes of their leaves of the tree of inputs
    /// @return sum what they add up to
    function _takeEach(
        Place memory place,
        Cursor memory cursor,
        uint256 left
    ) private view returns (bytes32[] memory inputs, Part memory sum) {
        if (cursor.left() < left) revert BadProof();
        uint256 each = NODE_AND_WEIGHT + place.leaf + 32 * place.depth;
        inputs = new bytes32[]((cursor.left() - left) / each);
        for (uint256 i = 0; i < inputs.length; ++i) {
            (bytes32 input, uint256 weight, int256 q, bool valid) = _takeInput(place, cursor);
            inputs[i] = input;
            // a valid one is below 2^38, so 2^20 of them stay below 2^90
            if (valid) _add(sum, weight, q, place.pivot);
            else sum.broken = true;
        }
        sum.known = true;
    }

    /// @dev Weights of inputs add up to 2^20 at most where they are right; where they are not, that is another claim.
    function _add(Part memory sum, uint256 weight, int256 q, int256 pivot) private pure {
        sum.sum += int128(int256(weight) * q);
        unchecked {
            sum.all += uint32(weight);
            if (q < pivot) sum.below += uint32(weight);
            if (q <= pivot) sum.upTo += uint32(weight);
        }
    }

    /// @dev Whether a carried value of the aggregate is the sum of weights times the least value at which the weights up to
    /// it reach half; 0 where nothing weighs.
    function _isMedian(
        Part memory sum,
        Place memory place,
        int256 stated,
        int256 weightSum
    ) private pure returns (bool) {
        if (sum.all == 0 || weightSum == 0) return stated == 0;
        if (place.pivot * weightSum != stated) return false;
        return 2 * uint256(sum.below) < sum.all && 2 * uint256(sum.upTo) >= sum.all;
    }

    function _isCodecBroken(
        Case calldata accused,
        Place memory place,
        Cursor memory cursor
    ) private view returns (bool) {
        uint256 index = cursor.takeNumber(4);
        (bytes32 input, , , bool valid) = _takeInput(place, cursor);
        bytes32 root = cursor.takeRoot(input, index, ROWS_DEPTH);
        if (root != accused.statement.inputsRoot) revert BadProof();
        return !valid;
    }

    /// @dev Reads an input: node, weight, chunk and siblings of its update.
    /// @return input hash of its leaf of the tree of inputs
    function _takeInput(
        Place memory place,
        Cursor memory cursor
    ) private view returns (bytes32 input, uint256 weight, int256 q, bool valid) {
        bytes calldata head = cursor.takeBytes(NODE_AND_WEIGHT);
        weight = uint32(bytes4(head[20:]));
        bytes calldata leaf = cursor.takeBytes(place.leaf);
        (q, valid) = Codecs.read(place.codec, leaf, place.chunk, place.value);
        uint256 index = place.chunk / Codecs.chunksOf(place.codec);
        bytes32 body = cursor.takeRoot(Trees.leafHash(leaf), index, place.depth);
        input = sha256(bytes.concat(body, head));
    }

    function _takePlace(Cursor memory cursor, uint8 depth, uint8 codec) private pure returns (Place memory) {
        return Place(cursor.takeNumber(4), cursor.takeNumber(1), depth, codec, Codecs.leafOf(codec), 0);
    }

    function _hashBlock(
        bytes32 inputsRoot,
        Place memory place,
        uint256 number
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(inputsRoot, place, number));
    }
}
