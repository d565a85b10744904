// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { ProductsProver } from "../../../contracts/provers/ProductsProver.sol";
import { Proving } from "./Proving.sol";

/// @dev A round of one row and models of one chunk, so that a step is the whole product and a root its only leaf's hash.
contract ProductsProverTest is Proving {
    uint8 private constant PRODUCTS = 7;
    uint8 private constant END = 7;
    uint8 private constant LEAF = 14;
    uint256 private constant ROW = 455;

    bytes private _update;
    bytes private _gate;
    bytes private _gradient;
    bytes private _step;
    bytes private _row;
    bytes private _behind; // a chunk of the update that is only carried
    int256[7] private _values; // of each product

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new ProductsProver(coordinator);
    }

    function setUp() public override {
        super.setUp();
        rules.bodyDepth = 1;
        (rules.chunks, rules.scoredChunks) = (1, 1);
        rules.codec = INT8;
        chain.setRules(rules);
        bytes memory update = new bytes(260);
        put(update, 3, 1, 0xfb); // -5
        put(update, 256, 1, 2); // times 4
        _update = update;
        _gate = gradientOf(7, 3);
        _gradient = gradientOf(0xfff7, 0); // -9
        _step = gradientOf(11, 1);
        _values = [int256(-20 * 56), 400, 180, -20 * 22, 56 * 56, -9 * 22, 22 * 22];
        state_();
    }

    /// @dev A chunk whose fourth value alone is not 0.
    function gradientOf(uint256 digit, uint256 exponent) private pure returns (bytes memory chunk) {
        chunk = new bytes(513);
        put(chunk, 6, 2, digit);
        put(chunk, 512, 1, exponent);
    }

    /// @dev States roots and numbers of all products, as they are now.
    function state_() private {
        accused.statement.gateRoot = rootOfOne(_gate);
        accused.statement.gradientRoot = rootOfOne(_gradient);
        accused.statement.stepRoot = rootOfOne(_step);
        accused.statement.gateTotals = sha256(totals(4));
        accused.statement.stepTotals = sha256(totals(5));
        accused.statement.gateSquare = uint256(_values[4]);
        accused.statement.gradientAlong = _values[5];
        accused.statement.stepSquare = uint256(_values[6]);
        accused.statement.rows = 1;
        accused.result.inputs = 1;
        stateRow(0, 1, sha256(totals(0)), sha256(totals(2)));
    }

    function stateRow(uint8 status, uint32 weight, bytes32 gate, bytes32 score) private {
        bytes memory head = bytes.concat(new bytes(120), bodyRoot(), new bytes(32), bytes1(status));
        head = bytes.concat(head, new bytes(5), bytes4(weight), bytes32(uint256(_values[0])));
        head = bytes.concat(head, bytes32(uint256(_values[1])), new bytes(8), bytes32(uint256(_values[2])));
        head = bytes.concat(head, bytes32(uint256(_values[3])), new bytes(56), gate, score);
        _row = bytes.concat(head, bytes5(type(uint40).max)); // no fault
        require(_row.length == ROW, "row");
        accused.statement.rowsRoot = rootOf(hashesOf(one(_row)), ROWS_DEPTH);
    }

    function one(bytes memory leaf) private pure returns (bytes[] memory leaves) {
        leaves = new bytes[](1);
        leaves[0] = leaf;
    }

    function bodyRoot() private view returns (bytes32) {
        if (_behind.length == 0) return rootOfOne(_update);
        bytes[] memory body = new bytes[](2);
        (body[0], body[1]) = (_update, _behind);
        return rootOf(hashesOf(body), 1);
    }

    function rootOfOne(bytes memory chunk) private pure returns (bytes32) {
        return rootOf(hashesOf(one(chunk)), 1);
    }

    /// @dev The leaf of totals that a product is in: rows' two and two, one of the gate gradient, two of the last step.
    function totals(uint8 product) private view returns (bytes memory) {
        if (product == 4) return abi.encode(_values[4]);
        uint256 first = product < 4 ? product & 2 : 5;
        return abi.encode(_values[first], _values[first + 1]);
    }

    function open_(uint8 product) private view returns (bytes memory) {
        if (product > 3) return "";
        return bytes.concat(bytes4(0), opened(one(_row), 0, ROWS_DEPTH));
    }

    function stepOf(uint8 product) private view returns (bytes memory) {
        bytes memory body = bytes.concat(_update, _behind);
        bytes[7] memory left = [body, body, body, body, _gate, _step, _step];
        bytes[7] memory right = [_gate, bytes(""), _gradient, _step, "", _gradient, ""];
        // all chunks are the one subtree: no siblings, but the absent leaf is left out
        bytes memory head = bytes.concat(open_(product), bytes4(0), totals(product));
        return bytes.concat(head, left[product], right[product]);
    }

    function endOf(uint8 product) private view returns (bytes memory) {
        return bytes.concat(open_(product), totals(product));
    }

    function leafOf(uint8 product, bytes memory leaf) private view returns (bytes memory) {
        return bytes.concat(open_(product), bytes4(0), leaf);
    }

    function test_check__honest_round__convicted_of_nothing() public view {
        for (uint8 product = 0; product < PRODUCTS; ++product) {
            refuses(product, stepOf(product), IProver.NotGuilty.selector);
            refuses(END + product, endOf(product), IProver.NotGuilty.selector);
            refuses(LEAF + product, leafOf(product, totals(product)), IProver.NotGuilty.selector);
        }
    }

    function test_step__wrong_totals__convict() public {
        for (uint8 product = 0; product < PRODUCTS; ++product) {
            int256 right = _values[product];
            for (int256 by = -1; by < 2; by += 2) {
                _values[product] = right + by;
                state_();
                convicts(product, stepOf(product));
                refuses(END + product, endOf(product), IProver.NotGuilty.selector);
            }
            _values[product] = right;
            state_();
        }
    }

    function test_end__other_number_stated__convicts() public {
        for (uint8 product = 0; product < PRODUCTS; ++product) {
            bytes memory leaf = totals(product);
            (bytes32 gate, bytes32 score) = (sha256(totals(0)), sha256(totals(2)));
            _values[product] += 1;
            if (product < 4) stateRow(0, 1, gate, score);
            else if (product == 4) accused.statement.gateSquare += 1;
            else if (product == 5) accused.statement.gradientAlong += 1;
            else accused.statement.stepSquare += 1;
            convicts(END + product, bytes.concat(open_(product), leaf));
            _values[product] -= 1;
            state_();
        }
    }

    function test_end__no_totals_where_there_is_a_product__convicts() public {
        stateRow(0, 1, 0, 0);
        for (uint8 product = 0; product < 4; ++product) convicts(END + product, open_(product));
        accused.statement.gateTotals = 0;
        accused.statement.stepTotals = 0;
        for (uint8 product = 4; product < PRODUCTS; ++product) convicts(END + product, "");
    }

    function test_leaf__of_another_length_or_absent__convicts() public {
        bytes[3] memory leaves = [bytes("x"), abi.encode(1, 2, 3), new bytes(31)];
        for (uint256 i = 0; i < 3; ++i) {
            bytes32 hash = sha256(leaves[i]);
            stateRow(0, 1, hash, hash);
            (accused.statement.gateTotals, accused.statement.stepTotals) = (hash, hash);
            for (uint8 product = 0; product < PRODUCTS; ++product)
                convicts(LEAF + product, leafOf(product, leaves[i]));
        }
    }

    function test_step__update_goes_on_behind_what_is_scored__it_is_shown_and_not_multiplied() public {
        bytes memory proof = stepOf(1);
        _behind = new bytes(260);
        bytes memory chunk = _behind;
        put(chunk, 5, 1, 0x7f);
        _behind = chunk;
        rules.chunks = 2;
        chain.setRules(rules);
        state_();
        test_check__honest_round__convicted_of_nothing();
        refuses(1, proof, IProver.BadProof.selector);
        _values[1] += 127 * 127;
        state_();
        convicts(1, stepOf(1));
    }

    function test_leaf__one_too_many__convicts() public {
        rules.bodyDepth = 6; // two places for totals
        chain.setRules(rules);
        bytes[] memory leaves = new bytes[](2);
        (leaves[0], leaves[1]) = (totals(4), totals(4));
        accused.statement.gateTotals = rootOf(hashesOf(leaves), 1);
        refuses(LEAF + 4, bytes.concat(bytes4(0), opened(leaves, 0, 1)), IProver.NotGuilty.selector);
        convicts(LEAF + 4, bytes.concat(bytes4(uint32(1)), opened(leaves, 1, 1)));
    }

    function test_leaf__cut_siblings_or_another_root__is_no_proof() public {
        rules.bodyDepth = 6;
        chain.setRules(rules);
        refuses(LEAF + 4, leafOf(4, ""), IProver.BadProof.selector);
        rules.bodyDepth = 1;
        chain.setRules(rules);
        refuses(LEAF + 4, leafOf(4, "other"), IProver.BadProof.selector);
        refuses(LEAF + 4, leafOf(4, ""), IProver.BadProof.selector);
    }

    function test_check__no_such_product__is_no_proof() public {
        refuses(21, "", IProver.BadShape.selector);
        accused.result.inputs = 0;
        refuses(4, stepOf(4), IProver.BadProof.selector);
        accused.statement.stepRoot = 0;
        for (uint8 product = 5; product < PRODUCTS; ++product)
            refuses(product, stepOf(product), IProver.BadProof.selector);
        refuses(3, stepOf(3), IProver.BadProof.selector);
        stateRow(0, 0, 0, 0); // it weighs nothing
        refuses(2, stepOf(2), IProver.BadProof.selector);
        stateRow(3, 1, 0, 0); // it does not count
        refuses(0, stepOf(0), IProver.BadProof.selector);
    }

    function testFuzz_step__changed_proof__convicts_nobody(
        uint8 product,
        uint256 place,
        uint8 change
    ) public view {
        refusesLike(product % PRODUCTS, stepOf(product % PRODUCTS), place, change | 1);
    }
}
