// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IProver } from "../../../contracts/interfaces/IProver.sol";
import { ITrainingCoordinator } from "../../../contracts/interfaces/ITrainingCoordinator.sol";
import { Dots } from "../../../contracts/provers/Dots.sol";
import { DotHost } from "./DotHost.sol";
import { Proving } from "./Proving.sol";

/// @dev The products of tests/vectors/dots.json, which dao/proofs computed: honest steps are right, others wrong.
contract DotsTest is Proving {
    string private _file = files.readFile("tests/vectors/dots.json");
    DotHost private _host = new DotHost();

    function newProver(ITrainingCoordinator) internal pure override returns (IProver) {
        return IProver(address(0));
    }

    function words(string memory name, string memory field) private view returns (bytes memory) {
        return files.parseJsonBytes(_file, string.concat(".cases.", name, ".", field));
    }

    function number(string memory name, string memory field) private view returns (uint256) {
        return files.parseJsonUint(_file, string.concat(".cases.", name, ".", field));
    }

    /// @dev Column 0 is the product with the gradient, column 1 the square.
    function productOf(string memory name, uint256 column) private view returns (Dots.Product memory) {
        return
            Dots.Product({
                totals: bytes32(words(name, "totals")),
                width: 2,
                column: column,
                left: bytes32(words(name, "body")),
                right: column == 0 ? bytes32(words(name, "gradient")) : bytes32(0),
                kind: uint8(number(name, "codec")),
                depth: number(name, "depth"),
                chunks: number(name, "chunks"),
                leftChunks: number(name, "left_chunks")
            });
    }

    function refuses(Dots.Product memory product, bytes memory proof) private view {
        bytes memory data = abi.encodeCall(DotHost.isWrong, (product, proof));
        (bool done, bytes memory answer) = address(_host).staticcall(data);
        require(!done, "taken as a proof");
        require(bytes4(answer) == IProver.BadProof.selector, "refused with another error");
    }

    function honest(string memory name, string memory step, uint256 column) private view {
        Dots.Product memory product = productOf(name, column);
        bytes memory proof = words(name, string.concat(column == 0 ? "proof_" : "square_", step));
        require(!_host.isWrong(product, proof), "convicted");
        refuses(product, bytes.concat(proof, "x"));
        refuses(product, part(proof, 0, proof.length - 1));
        for (uint256 at = 4; at < proof.length; at += 1499) {
            proof[at] ^= 0x01;
            refuses(product, proof);
            proof[at] ^= 0x01;
        }
    }

    /// @dev Has the first totals be others: both steps with them are then wrong.
    function lie(string memory name, int256 dot, uint256 square, uint256 column) private view {
        Dots.Product memory product = productOf(name, column);
        bytes memory leaf = abi.encode(dot, square);
        for (uint256 step = 0; step < 2; ++step) {
            string memory kind = column == 0 ? "proof_" : "square_";
            bytes memory proof = words(name, string.concat(kind, step == 0 ? "0" : "1"));
            // index 4, leaf 64, two siblings; of the second step, its own leaf and siblings
            bytes memory rest = part(proof, 68, 132);
            product.totals = rootOfFour(leaf, part(rest, 0, 32), part(rest, 32, 64));
            if (step == 0) proof = bytes.concat(part(proof, 0, 4), leaf, part(proof, 68, proof.length));
            else {
                bytes memory own = part(proof, 132, 196);
                bytes memory path = bytes.concat(sha256(leaf), part(rest, 32, 64));
                bytes memory chunks = part(proof, 260, proof.length);
                proof = bytes.concat(part(proof, 0, 4), leaf, rest, own, path, chunks);
            }
            require(_host.isWrong(product, proof), "not convicted");
        }
    }

    function rootOfFour(
        bytes memory leaf,
        bytes memory first,
        bytes memory second
    ) private pure returns (bytes32) {
        return sha256(bytes.concat(sha256(bytes.concat(sha256(leaf), first)), second));
    }

    function totalsOf(string memory name) private view returns (int256 dot, uint256 square) {
        return abi.decode(part(words(name, "proof_0"), 4, 68), (int256, uint256));
    }

    function test_step__honest_totals__are_right() public view {
        for (uint256 column = 0; column < 2; ++column) {
            honest("int8", "0", column);
            honest("int8", "1", column);
            honest("float32", "0", column);
            honest("float32", "1", column);
            honest("topk", "0", column);
            honest("topk", "1", column);
            honest("shallow", "0", column);
            honest("shallow_topk", "0", column);
        }
    }

    function wrong(string memory name) private view {
        (int256 dot, uint256 square) = totalsOf(name);
        lie(name, dot + 1, square, 0);
        lie(name, dot - 1, square, 0);
        lie(name, dot, square + 1, 1);
        lie(name, type(int256).max, square, 0);
        lie(name, type(int256).min, square, 0);
        lie(name, dot, type(uint256).max, 1);
    }

    function test_step__wrong_product_or_square__is_shown_even_where_it_runs_over() public view {
        wrong("int8");
        wrong("float32");
        wrong("topk");
    }

    function test_step__beyond_the_model__is_no_proof() public view {
        Dots.Product memory product = productOf("int8", 0);
        product.chunks = 32;
        refuses(product, words("int8", "proof_1"));
    }
}
