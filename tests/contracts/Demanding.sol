// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDemands } from "../../contracts/interfaces/IDemands.sol";
import { IProver } from "../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../contracts/interfaces/IStatements.sol";
import { Accusing } from "./Accusing.sol";
import { BodyTree } from "./BodyTree.sol";

interface Coins {
    function deal(address account, uint256 amount) external;
    function fee(uint256 amount) external;
}

/// @dev A posted round with a tree of two leaves for each root, and what is demanded of it.
abstract contract Demanding is Accusing {
    Coins internal constant coins = Coins(address(vm));
    uint256 internal constant ANSWER = CHALLENGE / 8;
    uint256 internal constant FEE = 1 gwei;
    uint256 internal constant LEAF_BOND = 1_000_000 * FEE;
    uint256 internal constant ROW = 455;

    IRounds.Result internal stated;
    IStatements.Statement internal statement_;
    bytes internal medians = "unit weights, weights, norms and parts";
    bytes[2] internal rows; // the first counts and weighs, the second does not
    bytes[2] internal inputs;

    function setUp() public virtual override {
        super.setUp();
        coins.fee(FEE);
        coins.deal(ACCUSER, 100 ether);
        coins.deal(ANYONE, 100 ether);
        coins.deal(node(0), 100 ether);
        rows = [makeRow(0, rootOf(IDemands.Tree.RowGateTotals), 1), makeRow(3, 0, 0)];
        inputs = [makeInput(rootOf(IDemands.Tree.Update), 1), makeInput(0, 2)];
        statement_ = statement(1);
        statement_.rowsRoot = openTwo(rows, 0, 20);
        statement_.inputsRoot = openTwo(inputs, 0, 20);
        statement_.aggregateRoot = rootOf(IDemands.Tree.Aggregate);
        statement_.modelRoot = rootOf(IDemands.Tree.Model);
        statement_.newStepRoot = rootOf(IDemands.Tree.NewStep);
        statement_.gateRoot = rootOf(IDemands.Tree.Gate);
        statement_.gradientRoot = rootOf(IDemands.Tree.Gradient);
        statement_.stepRoot = rootOf(IDemands.Tree.Step);
        statement_.gateTotals = rootOf(IDemands.Tree.GateTotals);
        statement_.stepTotals = rootOf(IDemands.Tree.StepTotals);
        statement_.mediansHash = sha256(medians);
        statement_.usedShards = sha256("bitmap");
    }

    /// @dev Posts the result as the test has it.
    function postStated() internal returns (uint64 round) {
        round = open();
        close(round, rootOf(IDemands.Tree.Commits), uint32(NODES), 0);
        stated = result(round);
        stated.commitsRoot = rootOf(IDemands.Tree.Commits);
        stated.accountsRoot = rootOf(IDemands.Tree.Accounts);
        stated.statement = keccak256(abi.encode(statement_));
        post(round, stated);
    }

    function makeRow(uint8 status, bytes32 totals, uint32 weight) internal pure returns (bytes memory) {
        bytes memory head = bytes.concat(new bytes(184), bytes1(status), new bytes(5), bytes4(weight));
        return bytes.concat(head, new bytes(192), totals, totals, bytes5(type(uint40).max));
    }

    function makeInput(bytes32 body, uint160 who) internal pure returns (bytes memory) {
        return bytes.concat(body, bytes20(who), bytes4(uint32(7)));
    }

    // Trees: leaf i of each is made of its number and i, but for those of rows and inputs

    function depthOf(IDemands.Tree tree) internal pure returns (uint256) {
        if (uint8(tree) < 4) return 20;
        bool ofTotals = uint8(tree) > 9 && uint8(tree) < 14;
        return ofTotals ? 12 : 17;
    }

    function leafOf(IDemands.Tree tree, uint256 index) internal view returns (bytes memory) {
        if (index > 1) return "";
        if (tree == IDemands.Tree.Rows) return rows[index];
        if (tree == IDemands.Tree.Inputs) return inputs[index];
        if (tree == IDemands.Tree.RowScoreTotals) tree = IDemands.Tree.RowGateTotals; // of one root, see makeRow
        return abi.encode(tree, index);
    }

    function rootOf(IDemands.Tree tree) internal view returns (bytes32 root) {
        (root, ) = BodyTree.open(hashesOf(tree), 0, depthOf(tree));
    }

    function hashesOf(IDemands.Tree tree) private view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](2);
        for (uint256 i = 0; i < 2; ++i) hashes[i] = sha256(leafOf(tree, i));
    }

    function openTwo(
        bytes[2] memory leaves,
        uint256 index,
        uint256 depth
    ) private pure returns (bytes32 root) {
        bytes32[] memory hashes = new bytes32[](2);
        for (uint256 i = 0; i < 2; ++i) hashes[i] = sha256(leaves[i]);
        (root, ) = BodyTree.open(hashes, index, depth);
    }

    function opened(IDemands.Tree tree, uint256 index) internal view returns (bytes memory) {
        (, bytes32[] memory siblings) = BodyTree.open(hashesOf(tree), index, depthOf(tree));
        return bytes.concat(leafOf(tree, index), abi.encodePacked(siblings));
    }

    /// @dev What answers a demand.
    function shown(IDemands.Place memory place) internal view returns (bytes memory) {
        if (place.tree == IDemands.Tree.Medians) return medians;
        if (place.tree == IDemands.Tree.UsedShards) return "bitmap";
        if (uint8(place.tree) < 12) return opened(place.tree, place.index);
        bool ofInput = place.tree == IDemands.Tree.Update;
        bytes memory outer = opened(ofInput ? IDemands.Tree.Inputs : IDemands.Tree.Rows, place.outer);
        if (place.outer > 1) return bytes.concat(bytes1(0), outer);
        if (place.outer == 1) return bytes.concat(bytes1(uint8(1)), outer);
        return bytes.concat(bytes1(uint8(1)), outer, opened(place.tree, place.index));
    }

    // Calls

    function at(
        IDemands.Tree tree,
        uint32 outer,
        uint32 index
    ) internal pure returns (IDemands.Place memory) {
        return IDemands.Place(tree, outer, index);
    }

    function demandAs(address who, uint64 round, IDemands.Place memory place) internal {
        uint256 bond = disputes.demandBond(place.tree);
        vm.prank(who);
        disputes.demand{ value: bond }(task, round, place);
    }

    function demandRow(uint64 round, uint32 index) internal returns (IDemands.Place memory place) {
        place = at(IDemands.Tree.Rows, 0, index);
        demandAs(ACCUSER, round, place);
    }

    function demandCall(uint64 round, IDemands.Place memory place) internal view returns (bytes memory) {
        return abi.encodeCall(IDemands.demand, (task, round, place));
    }

    function answerCall(
        uint64 round,
        IDemands.Place memory place,
        bytes memory content
    ) internal view returns (bytes memory) {
        return abi.encodeCall(IDemands.answer, (task, round, place, stated, statement_, content));
    }

    function answer(uint64 round, IDemands.Place memory place) internal {
        bytes memory content = shown(place); // its hashes are calls
        vm.prank(ANYONE);
        disputes.answer(task, round, place, stated, statement_, content);
    }

    function refusesAnswer(uint64 round, IDemands.Place memory place, bytes memory content) internal {
        bytes memory expected = abi.encodeWithSelector(IProver.BadProof.selector);
        refuses(ANYONE, address(disputes), answerCall(round, place, content), expected);
    }

    function expireCall(uint64 round, IDemands.Place memory place) internal view returns (bytes memory) {
        return abi.encodeCall(IDemands.expire, (task, round, place));
    }

    function expire(uint64 round, IDemands.Place memory place) internal {
        vm.prank(ANYONE);
        disputes.expire(task, round, place);
    }

    /// @dev The call with its bond must revert with exactly this error.
    function refusesDemand(uint64 round, IDemands.Place memory place, bytes memory expected) internal {
        bytes memory data = demandCall(round, place);
        uint256 bond = disputes.demandBond(place.tree);
        vm.prank(ACCUSER);
        (bool done, bytes memory actual) = address(disputes).call{ value: bond }(data);
        require(!done, "the demand was not refused");
        require(keccak256(actual) == keccak256(expected), "refused with another error");
    }
}
