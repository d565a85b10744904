// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { ModelProver } from "../../../contracts/provers/ModelProver.sol";
import { SumProver } from "../../../contracts/provers/SumProver.sol";
import { Proving } from "./Proving.sol";

/// @dev The rounds of tests/vectors/honest.json, as dao/core computed them, convict nobody: not at zeros of both signs, the
/// least and the largest values, the padding.
contract HonestTest is Proving {
    string private _file;

    function newProver(ITrainingCoordinator) internal pure override returns (IProver) {
        return IProver(address(0));
    }

    function words(string memory field) private view returns (bytes memory) {
        return files.parseJsonBytes(_file, field);
    }

    function number(string memory field) private view returns (uint256) {
        return files.parseJsonUint(_file, field);
    }

    /// @dev Makes the round of a codec the accused one.
    function arrange(string memory codec) private {
        _file = files.readFile("tests/vectors/honest.json");
        rules.codec = uint8(number(string.concat(codec, ".codec")));
        rules.bodyDepth = uint8(number(string.concat(codec, ".body_depth")));
        rules.chunks = uint32(number(string.concat(codec, ".chunks")));
        rules.scoredChunks = uint32(number(string.concat(codec, ".scored_chunks")));
        rules.baseModelRoot = bytes32(words(string.concat(codec, ".base_model_root")));
        chain.setRules(rules);
        accused.result.weightSum = uint32(number(string.concat(codec, ".weight_sum")));
        accused.statement.inputsRoot = bytes32(words(string.concat(codec, ".inputs_root")));
        accused.statement.aggregateRoot = bytes32(words(string.concat(codec, ".aggregate_root")));
        accused.statement.newStepRoot = bytes32(words(string.concat(codec, ".new_step_root")));
        accused.statement.modelRoot = bytes32(words(string.concat(codec, ".model_root")));
    }

    function acquits(string memory codec, string memory kind, uint8 claim) private view {
        uint256 places = number(string.concat(codec, ".places"));
        for (uint256 i = 0; i < places; ++i) {
            string memory digit = string(abi.encodePacked(uint8(48 + i)));
            bytes memory proof = words(string.concat(codec, kind, digit));
            refuses(claim, proof, IProver.NotGuilty.selector);
        }
    }

    function acquitsBoth(string memory codec) private {
        arrange(codec);
        prover = new SumProver(ITrainingCoordinator(address(chain)));
        acquits(codec, ".sum_", 0);
        prover = new ModelProver(ITrainingCoordinator(address(chain)));
        acquits(codec, ".model_", 0);
        acquits(codec, ".step_", 1);
    }

    function test_last_step__as_dao_core_computed_it__convicts_nobody() public {
        _file = files.readFile("tests/vectors/honest.json");
        rules.bodyDepth = uint8(number(".last_step.body_depth"));
        rules.chunks = uint32(number(".last_step.chunks"));
        rules.scoredChunks = uint32(number(".last_step.scored_chunks"));
        rules.baseModelRoot = bytes32(words(".last_step.base_model_root"));
        chain.setRules(rules);
        state.parent = uint32(PARENT);
        chain.setRound(ROUND, state);
        IRounds.Round memory parent;
        parent.resultHash = bytes32(words(".last_step.parent_result"));
        chain.setRound(PARENT, parent);
        accused.result.inputs = 1;
        accused.statement.stepRoot = bytes32(words(".last_step.step_root"));
        prover = new ModelProver(ITrainingCoordinator(address(chain)));
        for (uint256 i = 0; i < rules.chunks; ++i) {
            string memory name = string.concat(
                ".last_step.last_step_",
                string(abi.encodePacked(uint8(48 + i)))
            );
            refuses(2, words(name), IProver.NotGuilty.selector);
        }
    }

    function test_honest_round__of_each_codec__convicts_nobody() public {
        acquitsBoth(".int8");
        acquitsBoth(".float32");
        acquitsBoth(".topk");
    }
}
