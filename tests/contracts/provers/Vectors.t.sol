// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IForcedReveals } from "../../../contracts/interfaces/IForcedReveals.sol";
import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../../contracts/interfaces/IStatements.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { AccountsProver } from "../../../contracts/provers/AccountsProver.sol";
import { AvailabilityProver } from "../../../contracts/provers/AvailabilityProver.sol";
import { CommitsProver } from "../../../contracts/provers/CommitsProver.sol";
import { ModelProver } from "../../../contracts/provers/ModelProver.sol";
import { RowsProver } from "../../../contracts/provers/RowsProver.sol";
import { ScoresProver } from "../../../contracts/provers/ScoresProver.sol";
import { ShapeProver } from "../../../contracts/provers/ShapeProver.sol";
import { ShardsProver } from "../../../contracts/provers/ShardsProver.sol";
import { SumProver } from "../../../contracts/provers/SumProver.sol";
import { WeightsProver } from "../../../contracts/provers/WeightsProver.sol";
import { Proving } from "./Proving.sol";
import { Chain } from "./Chain.sol";

/// @dev The proofs of tests/vectors/proofs.json, which dao/proofs made, convict.
contract VectorsTest is Proving {
    string private _file = files.readFile("tests/vectors/proofs.json");

    function newProver(ITrainingCoordinator) internal pure override returns (IProver) {
        return IProver(address(0));
    }

    function words(string memory name, string memory field) private view returns (bytes memory) {
        return files.parseJsonBytes(_file, string.concat(".cases.", name, ".", field));
    }

    function number(string memory name, string memory field) private view returns (uint256) {
        return files.parseJsonUint(_file, string.concat(".cases.", name, ".", field));
    }

    function digest(string memory name, string memory field) private view returns (bytes32) {
        return bytes32(words(name, field));
    }

    function account(string memory name, string memory field) private view returns (address) {
        return address(bytes20(words(name, field)));
    }

    /// @dev Has the chain hold what the case says.
    function arrange(string memory name) private {
        files.chainId(number(name, "chain_id"));
        address coordinator = account(name, "coordinator");
        files.etch(coordinator, address(new Chain()).code);
        chain = Chain(coordinator);
        rules.bodyDepth = uint8(number(name, "body_depth"));
        rules.codec = uint8(number(name, "codec"));
        rules.chunks = uint32(number(name, "chunks"));
        rules.scoredChunks = uint32(number(name, "scored_chunks"));
        rules.baseModelRoot = digest(name, "base_model_root");
        rules.shards = uint32(number(name, "shards"));
        rules.validationRoot = digest(name, "validation_root");
        rules.superlink = account(name, "superlink");
        rules.commitPeriod = uint32(number(name, "commit_period"));
        (rules.closeAfter, rules.closeShare) = (
            uint32(number(name, "close_after")),
            uint8(number(name, "close_share"))
        );
        rules.minStake = uint128(bytes16(words(name, "min_stake")));
        rules.maxStake = uint128(bytes16(words(name, "max_stake")));
        rules.roundBudget = uint128(bytes16(words(name, "round_budget")));
        chain.setRules(rules);
        chain.setForced(number(name, "forced"));
        state = abi.decode(words(name, "round"), (IRounds.Round));
        chain.setRound(ROUND, state);
        IRounds.Round memory parent;
        parent.resultHash = digest(name, "parent_result");
        parent.parent = uint32(number(name, "parent_of_parent"));
        if (state.parent != 0) chain.setRound(state.parent, parent);
        IRounds.Round memory before;
        before.resultHash = digest(name, "parent_of_parent_result");
        if (parent.parent != 0) chain.setRound(parent.parent, before);
        bytes memory lost = words(name, "lost");
        if (lost.length != 0) chain.setRound(ROUND - 1, abi.decode(lost, (IRounds.Round)));
        bytes memory revealed = words(name, "revealed");
        for (uint256 at = 0; at < revealed.length; at += 52)
            arrangeReveal(
                address(bytes20(part(revealed, at, at + 20))),
                bytes32(part(revealed, at + 20, at + 52)),
                number(name, "attested") != 0
            );
        bytes memory members = words(name, "members");
        for (uint256 at = 0; at < members.length; at += 20)
            chain.setMember(ROUND, address(bytes20(part(members, at, at + 20))), true);
        bytes memory stakes = words(name, "stakes");
        for (uint256 at = 0; at < stakes.length; at += 56)
            chain.setStake(
                address(bytes20(part(stakes, at, at + 20))),
                address(bytes20(part(stakes, at + 20, at + 40))),
                state.openBlock - 1,
                uint128(bytes16(part(stakes, at + 40, at + 56)))
            );
        accused.result = abi.decode(words(name, "result"), (IRounds.Result));
        accused.statement = abi.decode(words(name, "statement"), (IStatements.Statement));
    }

    function arrangeReveal(address node, bytes32 commitment, bool attested) private {
        chain.setRevealed(accused.task, accused.round, node, commitment);
        if (attested) chain.setAttested(accused.task, accused.round, node);
    }

    /// @dev Convicts as the case says, and not with another byte.
    function convict(string memory name, function() returns (IProver) newOne) private {
        uint256 before = vm.snapshotState();
        arrange(name);
        prover = newOne();
        uint8 claim = uint8(number(name, "claim"));
        bytes memory proof = words(name, "proof");
        convicts(claim, proof);
        uint256 step = proof.length > 8000 ? 1009 : 97; // memory is never free again
        for (uint256 at = 0; at < proof.length; at += step) refusesLike(claim, bytes.concat(proof), at, 1);
        require(vm.revertToState(before));
    }

    function newSums() private returns (IProver) {
        return new SumProver(ITrainingCoordinator(address(chain)));
    }

    function newModels() private returns (IProver) {
        return new ModelProver(ITrainingCoordinator(address(chain)));
    }

    function newShapes() private returns (IProver) {
        return new ShapeProver(ITrainingCoordinator(address(chain)));
    }

    function newShards() private returns (IProver) {
        return new ShardsProver(ITrainingCoordinator(address(chain)));
    }

    function newCommits() private returns (IProver) {
        return new CommitsProver(ITrainingCoordinator(address(chain)));
    }

    function newRows() private returns (IProver) {
        return new RowsProver(ITrainingCoordinator(address(chain)));
    }

    function newWeights() private returns (IProver) {
        return new WeightsProver(ITrainingCoordinator(address(chain)));
    }

    function newScores() private returns (IProver) {
        return new ScoresProver(ITrainingCoordinator(address(chain)));
    }

    function newAccounts() private returns (IProver) {
        return new AccountsProver(ITrainingCoordinator(address(chain)));
    }

    function newAvailability() private returns (IProver) {
        address place = address(chain);
        return new AvailabilityProver(ITrainingCoordinator(place), IForcedReveals(place));
    }

    function test_availability__proofs_of_python__convict() public {
        convict("availability_receipt", newAvailability);
        convict("availability_forced", newAvailability);
        convict("availability_count", newAvailability);
        convict("availability_fault", newAvailability);
        convict("availability_attested", newAvailability);
    }

    function test_sums__proofs_of_python__convict() public {
        convict("aggregate_int8_3", newSums);
        convict("aggregate_float32_3", newSums);
        convict("aggregate_topk_3", newSums);
        convict("codec_int8", newSums);
        convict("codec_float32", newSums);
        convict("codec_topk", newSums);
    }

    function test_parts__proofs_of_python__convict_once_recorded() public {
        convictByPart("parts_int8_3");
        convictByPart("parts_float32_3");
        convictByPart("parts_topk_3");
    }

    function convictByPart(string memory name) private {
        uint256 before = vm.snapshotState();
        arrange(name);
        SumProver sums = new SumProver(ITrainingCoordinator(address(chain)));
        prover = sums;
        uint8 claim = uint8(number(name, "claim"));
        refuses(claim, words(name, "proof"), IProver.BadProof.selector);
        bytes32 root = accused.statement.inputsRoot;
        sums.record(root, rules.bodyDepth, rules.codec, words(name, "part"));
        convicts(claim, words(name, "proof"));
        require(vm.revertToState(before));
    }

    function test_models__proofs_of_python__convict() public {
        convict("model", newModels);
        convict("model_of_first_round", newModels);
        convict("step_int8", newModels);
        convict("step_float32", newModels);
        convict("last_step", newModels);
        convict("last_step_of_none_0", newModels);
        convict("last_step_of_none_1", newModels);
        convict("last_step_of_first_round", newModels);
    }

    function test_shapes__proofs_of_python__convict() public {
        convict("update_shape", newShapes);
        convict("inputs_shape", newShapes);
        convict("aggregate_shape", newShapes);
    }

    function test_shards__proofs_of_python__convict() public {
        convict("draw", newShards);
        convict("draw_of_another_content", newShards);
        convict("draw_without_void", newShards);
        convict("draw_without_aborted", newShards);
        convict("draw_of_many", newShards);
    }

    function test_commits__proofs_of_python__convict() public {
        convict("order", newCommits);
        convict("count_more", newCommits);
        convict("count_fewer", newCommits);
        convict("kind", newCommits);
        convict("signature", newCommits);
        convict("member", newCommits);
        convict("forced", newCommits);
        convict("receipt", newCommits);
        convict("receipt_of_another", newCommits);
        convict("early", newCommits);
    }

    function test_rows__proofs_of_python__convict() public {
        convict("row_order", newRows);
        convict("row_stake", newRows);
        convict("row_reveal", newRows);
        convict("row_input", newRows);
        convict("row_totals", newRows);
        convict("row_sums", newRows);
        convict("row_dropped", newRows);
        convict("row_uncommitted", newRows);
        convict("row_account", newRows);
        convict("row_forced", newRows);
    }

    function test_weights__proofs_of_python__convict() public {
        convict("weight_unit", newWeights);
        convict("weight_memory", newWeights);
        convict("weight_gate", newWeights);
        convict("weight_clip", newWeights);
        convict("weight_list", newWeights);
        convict("weight_norm_median", newWeights);
        convict("weight_along_median", newWeights);
    }

    function test_scores__proofs_of_python__convict() public {
        convict("score_score", newScores);
        convict("score_share", newScores);
    }

    function test_accounts__proofs_of_python__convict() public {
        convict("account_fewer", newAccounts);
        convict("account_owner", newAccounts);
        convict("account_unmoved", newAccounts);
        convict("account_moved", newAccounts);
        convict("account_total", newAccounts);
        convict("account_reward_total", newAccounts);
        convict("account_twice", newAccounts);
        convict("account_order", newAccounts);
    }
}
