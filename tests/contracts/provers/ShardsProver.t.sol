// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../../contracts/interfaces/IStatements.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { ShardsProver } from "../../../contracts/provers/ShardsProver.sol";
import { Settled } from "./Settled.sol";

/// @dev The shards that a result states, and those that the seeds drew: of the rounds of settled.json, and of made-up ones.
contract ShardsProverTest is Settled {
    uint8 private constant DRAW = 0;
    uint256 private constant BITMAP = 8192;
    uint256 private constant SHARDS_DEPTH = 16;

    bytes4 private immutable NOT_GUILTY = IProver.NotGuilty.selector;
    bytes4 private immutable BAD_PROOF = IProver.BadProof.selector;

    bytes private _list; // of the accused round
    bytes private _parentList;
    bytes private _lost; // of the proof
    IRounds.Result private _parent;
    IStatements.Statement private _parentStatement;

    function newProver(ITrainingCoordinator coordinator) internal override returns (IProver) {
        return new ShardsProver(coordinator);
    }

    /// @dev A round of a made-up chain, whose parent is round 1 and drew what the list has.
    function play(uint32 shards, bytes memory used) private {
        accused.round = 5;
        state.parent = 1;
        rules.shards = shards;
        rules.validationRoot = rootOf(new bytes32[](0), SHARDS_DEPTH);
        _parentList = bytes.concat(used, new bytes(548));
        _parentStatement.usedShards = sha256(_parentList);
        _parent.statement = keccak256(abi.encode(_parentStatement));
        IRounds.Round memory round;
        round.resultHash = keccak256(abi.encode(_parent));
        chain.setRound(1, round);
        chain.setRound(5, state);
        _lost = "";
    }

    /// @dev States a bitmap and a shard, whose content is under the validation root of a task of this one alone.
    function say(bytes memory used, uint256 index) private {
        bytes32[] memory hashes = new bytes32[](index + 1);
        hashes[index] = sha256(abi.encodePacked(keccak256("shard")));
        rules.validationRoot = rootOf(hashes, SHARDS_DEPTH);
        bytes memory path = pathOf(hashes, index, SHARDS_DEPTH);
        sayList(bytes.concat(used, abi.encodePacked(uint32(index), keccak256("shard"), path)));
    }

    function sayList(bytes memory list) private {
        _list = list;
        accused.statement.usedShards = sha256(list);
        chain.setRules(rules);
    }

    function prove() private view returns (bytes memory) {
        return bytes.concat(abi.encode(_parent), abi.encode(_parentStatement), _parentList, _lost, _list);
    }

    /// @dev Draws word for word as docs/protocol.md has it, and adds the shard.
    function draw(bytes memory used, bytes32 seed, uint256 shards) private pure returns (uint256 index) {
        uint256 free = 0;
        for (uint256 i = 0; i < shards; ++i) if (!has(used, i)) ++free;
        uint256 place = uint256(sha256(abi.encodePacked(seed, "shard"))) % free;
        for (index = 0; place != 0 || has(used, index); ++index) if (!has(used, index)) --place;
        used[index / 8] |= bytes1(uint8(0x80 >> (index % 8)));
    }

    function has(bytes memory used, uint256 i) private pure returns (bool) {
        return uint8(used[i / 8]) & (0x80 >> (i % 8)) != 0;
    }

    /// @dev A round before the accused one that drew a shard, void or aborted; its proof.
    function lose(uint64 round, bytes32 seed, bool void) private {
        IRounds.Round memory lost;
        lost.closedAt = 7;
        IRounds.Result memory stated;
        stated.seed = seed;
        bytes32 root = keccak256(abi.encode("root", round));
        if (void) (lost.postedAt, lost.resultHash) = (9, keccak256(abi.encode(stated)));
        else lost.closing = keccak256(abi.encode(root, seed));
        chain.setRound(round, lost);
        _lost = bytes.concat(_lost, void ? abi.encode(stated) : abi.encode(root, seed));
    }

    function test_draw__rounds_of_the_vectors__not_guilty() public {
        for (uint64 round = 1; round <= ROUNDS; ++round) {
            bytes memory before = round == 1 ? bytes("") : bytes.concat(parent, words("shards"));
            arrange(round);
            rules.shards = uint32(
                files.parseJsonUint(files.readFile("tests/vectors/settled.json"), ".rounds.1.shard_count")
            );
            rules.validationRoot = bytes32(words("validation_root"));
            chain.setRules(rules);
            if (round != 1) before = bytes.concat(parent, part(before, before.length - 8740, before.length));
            bytes memory proof = bytes.concat(before, words("shards"));
            refuses(DRAW, proof, NOT_GUILTY);
            require(
                sha256(bytes.concat(sha256(proof))) == bytes32(words("proofs.shards")),
                "Python writes another proof"
            );
            refuses(DRAW, part(proof, 0, proof.length - 1), BAD_PROOF);
            refuses(DRAW, bytes.concat(proof, hex"00"), BAD_PROOF);
        }
    }

    function testFuzz_draw__any_seed_and_shards_used__as_it_should_be(
        bytes32 seed,
        uint32 shards,
        uint8 most
    ) public {
        shards = 1 + (shards % 300);
        bytes memory used = new bytes(BITMAP);
        for (uint256 i = 0; i + 1 < shards; ++i)
            if (uint8(bytes32(keccak256(abi.encode(seed, i)))[0]) < most)
                used[i / 8] |= bytes1(uint8(0x80 >> (i % 8)));
        play(shards, bytes.concat(used));
        accused.result.seed = seed;
        uint256 drawn = draw(used, seed, shards);
        say(used, drawn);
        refuses(DRAW, prove(), NOT_GUILTY);
        used[drawn / 8] ^= bytes1(uint8(0x80 >> (drawn % 8)));
        say(used, drawn); // used, and not stated so
        convicts(DRAW, prove());
    }

    function test_draw__another_shard_content_length_or_bitmap__convicts() public {
        bytes memory used = new bytes(BITMAP);
        play(100, bytes.concat(used));
        accused.result.seed = keccak256("seed");
        uint256 drawn = draw(used, keccak256("seed"), 100);
        say(used, (drawn + 1) % 100);
        convicts(DRAW, prove());
        say(used, drawn);
        refuses(DRAW, prove(), NOT_GUILTY);
        bytes memory list = _list;
        sayList(part(list, 0, list.length - 1));
        convicts(DRAW, prove());
        list[BITMAP + 20] ^= 0x01; // of the content's digest
        sayList(list);
        convicts(DRAW, prove());
        list[BITMAP + 20] ^= 0x01;
        list[BITMAP - 1] |= 0x01; // a shard that the task has not
        sayList(list);
        convicts(DRAW, prove());
    }

    function test_draw__all_used__no_result_is_right() public {
        bytes memory used = new bytes(BITMAP);
        for (uint256 i = 0; i < 3; ++i) used[0] |= bytes1(uint8(0x80 >> i));
        play(3, used);
        say(used, 0);
        convicts(DRAW, prove());
    }

    function test_draw__rounds_between_that_came_to_nothing__count() public {
        bytes memory used = new bytes(BITMAP);
        play(40, bytes.concat(used));
        lose(2, keccak256("two"), true);
        lose(4, keccak256("four"), false); // the third never closed
        accused.result.seed = keccak256("seed");
        bytes memory forgotten = new bytes(BITMAP);
        uint256 wrong = draw(forgotten, keccak256("seed"), 40);
        draw(used, keccak256("two"), 40);
        draw(used, keccak256("four"), 40);
        uint256 drawn = draw(used, keccak256("seed"), 40);
        say(used, drawn);
        refuses(DRAW, prove(), NOT_GUILTY);
        refusesLike(DRAW, bytes.concat(prove()), 9800, 1);
        say(forgotten, wrong);
        convicts(DRAW, prove());
        _lost = "";
        refuses(DRAW, prove(), BAD_PROOF);
        lose(2, keccak256("two"), true);
        lose(4, keccak256("another"), false);
        lose(4, keccak256("four"), false);
        refuses(DRAW, prove(), BAD_PROOF);
    }

    function test_draw__last_shard_lost__leaves_none() public {
        bytes memory used = new bytes(BITMAP);
        used[0] = 0x40;
        play(2, bytes.concat(used));
        lose(2, keccak256("two"), false);
        lose(3, keccak256("three"), false); // found none
        used[0] = 0xc0;
        say(used, 0);
        convicts(DRAW, prove());
    }

    function test_draw__whole_words_used__are_skipped() public {
        bytes memory used = new bytes(BITMAP);
        for (uint256 i = 0; i < 64; ++i) used[i] = 0xff;
        play(600, bytes.concat(used));
        accused.result.seed = keccak256("seed");
        say(used, draw(used, keccak256("seed"), 600));
        refuses(DRAW, prove(), NOT_GUILTY);
    }

    function test_draw__another_list_than_the_parents__is_no_proof() public {
        bytes memory used = new bytes(BITMAP);
        play(100, bytes.concat(used));
        say(used, draw(used, accused.result.seed, 100));
        _parentList[3] = 0x01;
        refuses(DRAW, prove(), BAD_PROOF);
    }

    function test_claims__unknown_one__has_no_shape() public view {
        refuses(1, "", IProver.BadShape.selector);
    }
}
