// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { CommitRound } from "./CommitRound.sol";

/// @dev Trees of commits that lie convict, honest ones do not.
contract CommitsProverTest is CommitRound {
    // Honest rounds

    function testFuzz_honest__any_claim_of_any_leaf__not_guilty(
        uint256 seed,
        uint8 inTree,
        uint8 forced,
        bool early
    ) public {
        play((inTree % 5) + 1, seed, forced % 3);
        if (early) state.closedAt = state.openedAt + 1;
        restate();
        uint256 index = draw(seed, 1) % _leaves.length;
        innocent(seed, COUNT, proveCount(draw(seed, 2) % 8));
        refuses(COUNT, "", IProver.NotGuilty.selector);
        innocent(seed, KIND, leafAt(index));
        innocent(seed, SIGNATURE, leafAt(index));
        innocent(seed, MEMBER, leafAt(index));
        innocent(seed, FORCED, proveForced(index));
        innocent(seed, ORDER, proveOrder(index, index + 1 + (draw(seed, 3) % 4)));
        // who committed has a receipt, and a forced commit is as good as its leaf
        uint256 i = draw(seed, 4) % _keys.length;
        (, bool there) = placeOf(node(i));
        bool passed = there && (seed >> i) & 1 == 1;
        if (!passed) innocent(seed, RECEIPT, proveReceipt(node(i), commitment(i)));
        // nobody is missing, and a stranger is nobody
        address stranger = address(uint160(draw(seed, 5)));
        innocent(seed, EARLY, proveEarly(stranger));
        if (!there) innocent(seed, EARLY, proveEarly(node(i)));
    }

    function innocent(uint256 seed, uint8 claim, bytes memory proof) private view {
        refuses(claim, proof, IProver.NotGuilty.selector);
        for (uint8 other = 0; other < CLAIMS; ++other) {
            (bool done, ) = accuse(other, proof);
            require(!done, "convicted by another claim");
        }
        refusesLike(claim, proof, draw(seed, claim), uint8(seed >> 200) | 1);
    }

    function testFuzz_honest__any_bytes__never_convicted(uint8 claim, bytes memory proof) public {
        play(3, 2, 1);
        (bool done, ) = accuse(claim % CLAIMS, proof);
        require(!done, "convicted");
    }

    // Order

    function test_order__leaves_exchanged__convict() public {
        play(4, 0, 0);
        bytes memory leaf = _leaves[1];
        _leaves[1] = _leaves[3];
        _leaves[3] = leaf;
        restate();
        convicts(ORDER, proveOrder(1, 3));
        convicts(ORDER, proveOrder(1, 2));
        refuses(ORDER, proveOrder(0, 1), IProver.NotGuilty.selector);
    }

    function test_order__a_node_twice__convicts() public {
        play(3, 0, 0);
        _leaves.push(_leaves[2]);
        restate();
        convicts(ORDER, proveOrder(2, 3));
        refuses(ORDER, proveOrder(3, 2), IProver.BadProof.selector);
        refuses(ORDER, proveOrder(2, 2), IProver.BadProof.selector);
    }

    function test_order__a_leaf_behind_a_hole__convicts() public {
        play(2, 0, 0);
        // the leaf 3 without a leaf 2
        bytes32[] memory hashes = new bytes32[](4);
        (hashes[0], hashes[1], hashes[3]) = (sha256(_leaves[0]), sha256(_leaves[1]), sha256("behind"));
        bytes memory behind = commit(0);
        hashes[3] = sha256(behind);
        accused.result.commitsRoot = rootOf(hashes, ROWS_DEPTH);
        bytes memory hole = abi.encodePacked(uint8(0), pathOf(hashes, 2, ROWS_DEPTH));
        bytes memory leaf = abi.encodePacked(uint8(1), behind, pathOf(hashes, 3, ROWS_DEPTH));
        convicts(ORDER, abi.encodePacked(uint32(2), uint32(3), hole, leaf));
        refuses(ORDER, abi.encodePacked(uint32(1), uint32(3), hole, leaf), IProver.BadProof.selector);
    }

    // Count

    function test_count__fewer_leaves_than_commits__convict() public {
        play(4, 1, 0);
        _leaves.pop();
        _leaves.pop();
        restate();
        refuses(COUNT, proveCount(3), IProver.NotGuilty.selector); // it was the place of a pass, for all that is known
        convicts(COUNT, proveCount(2));
        refuses(COUNT, proveCount(1), IProver.NotGuilty.selector);
    }

    function test_count__more_leaves_than_might_commit__convict() public {
        play(4, 0, 2);
        _leaves.push(commit(0));
        restate();
        convicts(COUNT, proveCount(4));
        refuses(COUNT, proveCount(3), IProver.NotGuilty.selector);
        accused.result.commitsRoot = 0;
        refuses(COUNT, proveCount(4), IProver.BadProof.selector);
    }

    // Kinds

    function test_kind__neither_commit_nor_pass__convicts() public {
        play(2, 0, 0);
        bytes memory leaf = _leaves[1];
        leaf[20] = 0x02;
        _leaves[1] = leaf;
        restate();
        convicts(KIND, leafAt(1));
        refuses(KIND, leafAt(0), IProver.NotGuilty.selector);
        refuses(SIGNATURE, leafAt(1), IProver.NotGuilty.selector);
    }

    function test_kind__a_pass_with_a_commitment__convicts() public {
        play(1, 1, 0);
        bytes memory leaf = _leaves[0];
        leaf[40] = 0x01;
        _leaves[0] = leaf;
        restate();
        convicts(KIND, leafAt(0));
    }

    function test_kind__another_length__convicts() public {
        play(2, 0, 0);
        _leaves[1] = bytes.concat(_leaves[1], "x");
        restate();
        convicts(KIND, leafAt(1));
        _leaves[1] = "";
        restate();
        convicts(KIND, leafAt(1));
        refuses(KIND, part(leafAt(1), 0, 200), IProver.BadProof.selector);
    }

    // Signatures

    function spoil(uint256 place, bytes memory signature) private {
        _leaves[place] = bytes.concat(part(_leaves[place], 0, LEAF - 65), signature);
        restate();
        convicts(SIGNATURE, leafAt(place));
    }

    function test_signature__of_another_key_round_or_commitment__convicts() public {
        play(3, 4, 0);
        refuses(SIGNATURE, leafAt(0), IProver.NotGuilty.selector);
        spoil(0, signCommit(_keys[1], node(0), commitment(0)));
        spoil(0, signCommit(_keys[0], node(0), commitment(1)));
        spoil(0, new bytes(65));
        refuses(SIGNATURE, leafAt(2), IProver.NotGuilty.selector);
        spoil(2, signCommit(_keys[2], node(2), 0));
        state.opening = keccak256("after a reorg");
        restate();
        convicts(SIGNATURE, leafAt(1));
    }

    function test_signature__of_nobody__convicts_nobodys_leaf() public {
        play(1, 0, 0);
        _leaves[0] = new bytes(LEAF);
        restate();
        convicts(SIGNATURE, leafAt(0));
    }

    // Members, forced commits

    function test_member__a_stranger__convicts() public {
        play(3, 0, 0);
        chain.setMember(ROUND, nodeOf(1), false);
        convicts(MEMBER, leafAt(1));
        refuses(MEMBER, leafAt(0), IProver.NotGuilty.selector);
    }

    function test_forced__a_node_in_the_tree_too__convicts() public {
        play(3, 0, 2);
        refuses(FORCED, proveForced(1), IProver.NotGuilty.selector);
        force(nodeOf(1), "other");
        restate();
        convicts(FORCED, proveForced(1));
        refuses(FORCED, proveForced(0), IProver.NotGuilty.selector);
        accused.result.forcedHash = 0;
        refuses(FORCED, proveForced(1), IProver.BadProof.selector);
    }

    // Receipts

    function test_receipt__commit_left_out__convicts_at_every_place() public {
        for (uint256 place = 0; place < 3; ++place) {
            delete _keys;
            delete _leaves;
            state.commits = 0;
            play(3, 0, 0);
            address node_ = nodeOf(place);
            for (uint256 i = place; i < 2; ++i) _leaves[i] = _leaves[i + 1];
            _leaves.pop();
            restate();
            convicts(RECEIPT, proveReceipt(node_, commitment(place)));
        }
    }

    function test_receipt__only_one_left_out__convicts() public {
        play(1, 0, 0);
        address node_ = nodeOf(0);
        _leaves.pop();
        restate();
        convicts(RECEIPT, proveReceipt(node_, commitment(0)));
    }

    function test_receipt__another_commit_or_a_pass_in_its_place__convicts() public {
        play(2, 2, 0);
        convicts(RECEIPT, proveReceipt(node(0), "another"));
        convicts(RECEIPT, proveReceipt(node(1), commitment(1)));
        refuses(RECEIPT, proveReceipt(node(0), commitment(0)), IProver.NotGuilty.selector);
    }

    function test_receipt__a_forced_commit__is_no_receipts_concern() public {
        play(2, 0, 1);
        address node_ = address(bytes20(_forcedList));
        refuses(RECEIPT, proveReceipt(node_, "another"), IProver.NotGuilty.selector);
    }

    function test_receipt__not_the_superlinks__is_no_proof() public {
        play(2, 0, 0);
        rules.superlink = address(1);
        chain.setRules(rules);
        refuses(RECEIPT, proveReceipt(node(0), "another"), IProver.BadProof.selector);
        rules.superlink = address(0);
        chain.setRules(rules);
        bytes memory proof = abi.encodePacked(node(0), bytes32("another"), new bytes(65), true, leafAt(0));
        refuses(RECEIPT, proof, IProver.BadProof.selector);
    }

    function test_receipt__of_another_node_than_the_leaf__is_no_proof() public {
        play(2, 0, 0);
        bytes memory signature = signFor("Receipt", SUPERLINK_KEY, node(0), "another");
        bytes memory proof = abi.encodePacked(node(0), bytes32("another"), signature, true, leafAt(1));
        refuses(RECEIPT, proof, IProver.BadProof.selector);
    }

    function test_receipt__absent_where_the_node_would_not_be__is_no_proof() public {
        play(3, 0, 0);
        bytes memory signature = signFor("Receipt", SUPERLINK_KEY, node(1), "another");
        bytes memory head = abi.encodePacked(node(1), bytes32("another"), signature, false);
        for (uint256 index = 0; index < 5; ++index)
            refuses(RECEIPT, bytes.concat(head, absence(index)), IProver.BadProof.selector);
    }

    // Closed early

    function test_early__a_member_unheard__convicts_before_the_deadline_alone() public {
        play(3, 2, 1);
        address node_ = nodeOf(2);
        _leaves.pop();
        restate();
        refuses(EARLY, proveEarly(node_), IProver.NotGuilty.selector);
        --state.closedAt;
        restate();
        convicts(EARLY, proveEarly(node_));
        chain.setMember(ROUND, node_, false);
        refuses(EARLY, proveEarly(node_), IProver.NotGuilty.selector);
        chain.setMember(ROUND, node_, true);
        force(node_, "on chain");
        restate();
        refuses(EARLY, proveEarly(node_), IProver.NotGuilty.selector);
    }

    function test_early__enough_committed__convicts_before_that_time_alone() public {
        play(3, 2, 1);
        address node_ = nodeOf(2);
        _leaves.pop(); // 3 of 4 committed, one of them on chain
        --state.commits;
        rules.closeShare = 75;
        chain.setRules(rules);
        state.closedAt = state.openedAt + CLOSE_AFTER;
        restate();
        refuses(EARLY, proveEarly(node_), IProver.NotGuilty.selector);
        --state.closedAt;
        restate();
        convicts(EARLY, proveEarly(node_));
        ++state.closedAt;
        rules.closeShare = 76;
        chain.setRules(rules);
        restate();
        convicts(EARLY, proveEarly(node_));
    }

    function test_early__a_lie_about_the_number_of_commits__convicts() public {
        play(3, 2, 1);
        address node_ = nodeOf(2);
        _leaves.pop();
        _leaves.pop();
        --state.commits; // one too many is stated, which the share takes
        rules.closeShare = 75;
        chain.setRules(rules);
        state.closedAt = state.openedAt + CLOSE_AFTER;
        restate();
        refuses(EARLY, proveEarly(node_), IProver.NotGuilty.selector);
        refuses(COUNT, "", IProver.NotGuilty.selector);
        --accused.statement.rows; // that of the leaf which is not there
        convicts(COUNT, "");
    }

    function test_claims__unknown_one__has_no_shape() public {
        play(1, 0, 0);
        refuses(CLAIMS, leafAt(0), IProver.BadShape.selector);
    }
}
