// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../../contracts/interfaces/ITasks.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { Vm } from "../Vm.sol";
import { Chain } from "./Chain.sol";
import { SmallTrees } from "./SmallTrees.sol";

/// @dev The cheat codes that only provers' tests use.
interface Files {
    function chainId(uint256 id) external;
    function etch(address account, bytes calldata code) external;
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function readFile(string calldata path) external view returns (string memory);
}

/// @dev Accuses one round of a chain that the test sets, and builds small trees.
abstract contract Proving is SmallTrees {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Files internal constant files = Files(address(vm));

    uint64 internal constant TASK = 7;
    uint64 internal constant ROUND = 3;
    uint64 internal constant PARENT = 2;
    uint256 internal constant ROWS_DEPTH = 20;
    uint8 internal constant INT8 = 0;
    uint8 internal constant FLOAT32 = 1;
    uint8 internal constant TOPK = 2;

    Chain internal chain;
    IProver internal prover;
    IProver.Case internal accused;
    ITasks.TaskRules internal rules;
    IRounds.Round internal state;

    function setUp() public virtual {
        chain = new Chain();
        prover = newProver(ITrainingCoordinator(address(chain)));
        accused.task = TASK;
        accused.round = ROUND;
        rules.bodyDepth = 3;
        chain.setRules(rules);
    }

    function newProver(ITrainingCoordinator coordinator) internal virtual returns (IProver);

    // Accusations

    function convicts(uint8 claim, bytes memory proof) internal view {
        prover.check(accused, claim, proof);
    }

    function refuses(uint8 claim, bytes memory proof, bytes4 selector) internal view {
        (bool done, bytes memory answer) = accuse(claim, proof);
        require(!done, "convicted");
        require(keccak256(answer) == keccak256(abi.encodePacked(selector)), "refused with another error");
    }

    function accuse(uint8 claim, bytes memory proof) internal view returns (bool done, bytes memory answer) {
        return address(prover).staticcall(abi.encodeCall(IProver.check, (accused, claim, proof)));
    }

    /// @dev None of what can be made of a proof by one cut, one more byte or one other byte may convict.
    function refusesLike(uint8 claim, bytes memory proof, uint256 place, uint8 change) internal view {
        place %= proof.length;
        (bool cut, ) = accuse(claim, part(proof, 0, place));
        require(!cut, "convicted by a cut proof");
        (bool longer, ) = accuse(claim, bytes.concat(proof, bytes1(change)));
        require(!longer, "convicted by a longer proof");
        proof[place] ^= bytes1(change);
        (bool changed, ) = accuse(claim, proof);
        require(!changed, "convicted by a changed proof");
    }

    /// @dev Signs the hash of a message's struct, in the domain of the chain.
    function sign(uint256 key, bytes32 message) internal view returns (bytes memory) {
        string memory type_ =
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(bytes(type_)),
                keccak256("Commonweight"),
                keccak256("1"),
                block.chainid,
                address(chain)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(
            key,
            keccak256(abi.encodePacked("\x19\x01", domain, message))
        );
        return abi.encodePacked(r, s, v);
    }

    function draw(uint256 seed, uint256 what) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, what)));
    }
}
