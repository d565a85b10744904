// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../../contracts/interfaces/IStatements.sol";
import { Accusing } from "../Accusing.sol";
import { SmallTrees } from "./SmallTrees.sol";

/// @dev From a lie in a posted result to the void round, through the court, on the coordinator and the bytecode that networks
/// have.
contract ConvictionTest is Accusing, SmallTrees {
    uint256 private constant DEPTH = 17;
    uint256 private constant ROWS_DEPTH = 20;

    IStatements.Statement private _statement;
    bytes[] private _leaves; // of the tree of commits

    function newProver(string memory name) private returns (address made) {
        made = deploy(name, abi.encode(coordinator));
        vm.prank(DAO);
        disputes.setProver(made, true);
        skip(1);
    }

    /// @dev One more chunk than a zero one: the first has `first` as its first byte.
    function chunks(uint256 size, bytes1 first) private pure returns (bytes[] memory leaves) {
        leaves = new bytes[](2);
        (leaves[0], leaves[1]) = (new bytes(size), new bytes(size));
        leaves[0][0] = first;
    }

    function root(bytes[] memory leaves, uint256 depth) private pure returns (bytes32) {
        return rootOf(hashesOf(leaves), depth);
    }

    function closeWith(uint64 round, uint32 commits) private {
        bytes32 commitsRoot_ = root(_leaves, ROWS_DEPTH);
        uint48 openBlock = coordinator.roundOf(task, round).openBlock;
        vm.prank(superlink);
        coordinator.closeCommits(task, round, openBlock, commitsRoot_, 0, commits, 0);
    }

    /// @dev Posts a result that states what there is.
    function postWith(uint64 round) private returns (IRounds.Result memory stated) {
        stated = result(round);
        stated.statement = keccak256(abi.encode(_statement));
        stated.revealed = coordinator.roundOf(task, round).commits;
        if (_leaves.length != 0) stated.commitsRoot = root(_leaves, ROWS_DEPTH);
        post(round, stated);
    }

    function signedLeaf(uint64 round, uint256 i, uint256 signer) private view returns (bytes memory) {
        bytes32 value = commitment(i, round);
        bytes32 typehash = keccak256(
            "Commit(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)"
        );
        bytes32 opening = coordinator.roundOf(task, round).opening;
        bytes32 message = keccak256(abi.encode(typehash, task, round, opening, node(i), value));
        return abi.encodePacked(node(i), uint8(0), value, sign(signer, address(coordinator), message));
    }

    function judge(
        address prover_,
        uint8 claim,
        uint64 round,
        IRounds.Result memory stated,
        bytes memory proof
    ) private {
        announceDigest(digestOf(ACCUSER, prover_, claim, round, proof));
        vm.prank(ACCUSER);
        disputes.convict(prover_, claim, task, round, stated, _statement, proof);
        eq(phase(round), IRounds.Phase.Void);
    }

    function acquits(
        address prover_,
        uint8 claim,
        uint64 round,
        IRounds.Result memory stated,
        bytes memory proof
    ) private {
        IProver.Case memory accused = IProver.Case(task, round, stated, _statement);
        bytes memory data = abi.encodeCall(IProver.check, (accused, claim, proof));
        refuses(ACCUSER, prover_, data, abi.encodePacked(IProver.NotGuilty.selector));
    }

    function test_sum__wrong__round_is_void() public {
        address sums = newProver("SumProver");
        bytes[] memory body = chunks(260, 0x05);
        bytes[] memory aggregate = chunks(2048, 0x00);
        aggregate[0][7] = 0x32; // 50 = 5 times 10
        bytes24 head = bytes24(abi.encodePacked(node(0), uint32(10)));
        bytes32[] memory inputs = new bytes32[](1);
        inputs[0] = sha256(abi.encodePacked(root(body, DEPTH), head));
        _statement.inputsRoot = rootOf(inputs, ROWS_DEPTH);
        bytes memory update = abi.encodePacked(head, opened(body, 0, DEPTH));

        for (uint256 wrong = 0; wrong < 2; ++wrong) {
            if (wrong == 1) aggregate[0][7] = 0x33;
            _statement.aggregateRoot = root(aggregate, DEPTH);
            uint64 round = open();
            close(round);
            IRounds.Result memory stated = postWith(round);
            bytes memory proof = abi.encodePacked(uint32(0), uint8(0), opened(aggregate, 0, DEPTH), update);
            if (wrong == 1) judge(sums, 0, round, stated, proof);
            else acquits(sums, 0, round, stated, proof);
        }
    }

    function test_model__wrong_on_its_parents__child_alone_is_void() public {
        address models = newProver("ModelProver");
        bytes[] memory model = chunks(1024, 0x00);
        bytes[] memory step = chunks(260, 0x00);
        (_statement.modelRoot, _statement.newStepRoot) = (root(model, DEPTH), root(step, DEPTH));
        uint64 parent = open();
        close(parent);
        bytes memory before = bytes.concat(abi.encode(postWith(parent)), abi.encode(_statement));

        bytes[] memory moved = chunks(1024, 0x01); // by the least that there is
        _statement.modelRoot = root(moved, DEPTH);
        uint64 round = open();
        close(round);
        IRounds.Result memory stated = postWith(round);
        bytes memory head = abi.encodePacked(opened(step, 0, DEPTH), opened(moved, 0, DEPTH), before);
        bytes memory base = opened(model, 0, DEPTH);
        acquits(models, 0, round, stated, abi.encodePacked(uint32(0), uint8(1), head, base));
        judge(models, 0, round, stated, abi.encodePacked(uint32(0), uint8(0), head, base));
        eq(phase(parent), IRounds.Phase.Posted);
    }

    function test_commit__not_signed_by_its_node__round_is_void() public {
        address commits = newProver("CommitsProver");
        uint64 round = open();
        _leaves.push(signedLeaf(round, 0, key(0)));
        _leaves.push(signedLeaf(round, 1, key(2)));
        _leaves.push(signedLeaf(round, 2, key(2)));
        closeWith(round, 3);
        IRounds.Result memory stated = postWith(round);
        bytes memory honest = abi.encodePacked(uint32(0), opened(_leaves, 0, ROWS_DEPTH));
        acquits(commits, 3, round, stated, honest);
        judge(commits, 3, round, stated, abi.encodePacked(uint32(1), opened(_leaves, 1, ROWS_DEPTH)));
    }

    function test_receipt__for_another_commit_than_the_trees__round_is_void() public {
        address commits = newProver("CommitsProver");
        uint64 round = open();
        for (uint256 i = 0; i < NODES; ++i) _leaves.push(signedLeaf(round, i, key(i)));
        closeWith(round, 3);
        IRounds.Result memory stated = postWith(round);
        bytes32 typehash = keccak256(
            "Receipt(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)"
        );
        bytes32 opening = coordinator.roundOf(task, round).opening;
        bytes32 message = keccak256(abi.encode(typehash, task, round, opening, node(1), bytes32("other")));
        bytes memory receipt = sign(SUPERLINK_KEY, address(coordinator), message);
        bytes memory leaf = abi.encodePacked(true, uint32(1), opened(_leaves, 1, ROWS_DEPTH));
        judge(commits, 6, round, stated, abi.encodePacked(node(1), bytes32("other"), receipt, leaf));
    }

    function test_member__that_left_and_came_back__was_one_of_its_rounds_alone() public {
        address commits = newProver("CommitsProver");
        uint64 round = open();
        for (uint256 i = 0; i < NODES; ++i) _leaves.push(signedLeaf(round, i, key(i)));
        closeWith(round, 3);
        IRounds.Result memory stated = postWith(round);
        vm.prank(node(1));
        coordinator.leave(task, node(1));
        acquits(commits, 4, round, stated, leafOf(1));

        uint64 without = open();
        for (uint256 i = 0; i < NODES; ++i) _leaves[i] = signedLeaf(without, i, key(i));
        skip(COMMIT);
        closeWith(without, 2); // of two that may, with a third in the tree
        join(1);
        IRounds.Result memory wrong = postWith(without);
        acquits(commits, 4, without, wrong, leafOf(0));
        judge(commits, 4, without, wrong, leafOf(1));
        eq(phase(round), IRounds.Phase.Posted);
    }

    function leafOf(uint256 index) private view returns (bytes memory) {
        return abi.encodePacked(uint32(index), opened(_leaves, index, ROWS_DEPTH));
    }

    function test_early__a_member_in_neither_list__round_is_void() public {
        address commits = newProver("CommitsProver");
        for (uint256 late = 0; late < 2; ++late) {
            uint64 round = open();
            delete _leaves;
            _leaves.push(signedLeaf(round, 0, key(0)));
            _leaves.push(signedLeaf(round, 1, key(1)));
            if (node(0) > node(1)) {
                bytes memory first = _leaves[0];
                _leaves[0] = _leaves[1];
                _leaves[1] = first;
            }
            if (late == 1) skip(COMMIT);
            closeWith(round, late == 1 ? 2 : 3);
            IRounds.Result memory stated = postWith(round);
            bytes memory proof = absenceOf(node(2));
            if (late == 1) acquits(commits, 7, round, stated, proof);
            else judge(commits, 7, round, stated, proof);
        }
    }

    /// @dev An absence without forced commits.
    function absenceOf(address node_) private view returns (bytes memory proof) {
        uint256 place = 0;
        while (place < _leaves.length && address(bytes20(_leaves[place])) < node_) ++place;
        proof = abi.encodePacked(node_, uint32(0), uint32(place));
        if (place != 0) proof = bytes.concat(proof, slotAt(place - 1));
        proof = bytes.concat(proof, slotAt(place));
    }

    function slotAt(uint256 index) private view returns (bytes memory) {
        if (index < _leaves.length) return abi.encodePacked(true, opened(_leaves, index, ROWS_DEPTH));
        return abi.encodePacked(false, pathOf(hashesOf(_leaves), index, ROWS_DEPTH));
    }

    function test_shape__fewer_inputs_than_counted__round_is_void() public {
        address shapes = newProver("ShapeProver");
        bytes32[] memory inputs = new bytes32[](1);
        inputs[0] = sha256(new bytes(56));
        _statement.inputsRoot = rootOf(inputs, ROWS_DEPTH);
        uint64 round = open();
        close(round);
        IRounds.Result memory stated = postWith(round); // of two inputs
        acquits(shapes, 5, round, stated, abi.encodePacked(uint32(2), pathOf(inputs, 2, ROWS_DEPTH)));
        judge(shapes, 5, round, stated, abi.encodePacked(uint32(1), pathOf(inputs, 1, ROWS_DEPTH)));
    }
}
