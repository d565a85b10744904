// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { DaoToken } from "../../contracts/DaoToken.sol";
import { Disputes } from "../../contracts/Disputes.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../contracts/interfaces/IStatements.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { RewardDistributor } from "../../contracts/RewardDistributor.sol";
import { SupernodeRegistry } from "../../contracts/SupernodeRegistry.sol";
import { TrainingCoordinator } from "../../contracts/TrainingCoordinator.sol";
import { BodyTree } from "./BodyTree.sol";
import { Terms } from "./Terms.sol";
import { Vm } from "./Vm.sol";

/// @dev A deployed DAO with one task, and the steps of a round.
abstract contract Base is Terms {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address internal constant DAO = address(0xda0);
    address internal constant ANYONE = address(0xa11);
    address internal constant CHALLENGER = address(0xc4a);
    uint256 internal constant SUPERLINK_KEY = 0x5717;
    uint256 internal constant SUPPLY = 1e27;
    uint256 internal constant MINIMUM = 50 ether;
    uint256 internal constant UNBONDING = 3 days;
    uint256 internal constant STAKE = 200 ether;
    uint256 internal constant NODES = 3;
    /// @dev sha256 of no bytes, as a number: to compute it is a call, which would take a prank.
    bytes32 internal constant HASH_OF_NOTHING =
        0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855;

    DaoToken internal token;
    SupernodeRegistry internal registry;
    RewardDistributor internal distributor;
    TrainingCoordinator internal coordinator;
    Disputes internal disputes;
    uint64 internal task;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        vm.roll(1000);
        token = newToken("Commonweight", "CWT", DAO, SUPPLY);
        registry = newRegistry(token, MINIMUM, UNBONDING, DAO);
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        distributor = RewardDistributor(deploy("RewardDistributor", abi.encode(token, next)));
        bytes memory arguments = abi.encode(token, registry, distributor, DAO);
        coordinator = TrainingCoordinator(deploy("TrainingCoordinator", arguments));
        eq(address(coordinator), next);
        arguments = abi.encode(token, registry, distributor, coordinator, DAO);
        disputes = Disputes(deploy("Disputes", arguments));
        vm.prank(DAO);
        coordinator.setDisputes(address(disputes));
        vm.prank(DAO);
        registry.setSlasher(address(disputes), true);

        superlink = vm.addr(SUPERLINK_KEY);
        registerKey(SUPERLINK_KEY, 1000 ether);
        vm.prank(DAO);
        token.approve(address(distributor), type(uint256).max);
        vm.prank(DAO);
        token.transfer(CHALLENGER, 1000 ether);
        vm.prank(CHALLENGER);
        token.approve(address(coordinator), type(uint256).max);
        task = create(rules(), 1000 ether);
        for (uint256 i = 0; i < NODES; ++i) {
            registerKey(key(i), STAKE);
            join(i);
        }
        skip(1);
    }

    // Deployment, of the bytecode that a network gets (hardhat.config.js)

    function deploy(string memory name, bytes memory arguments) internal returns (address made) {
        bytes memory code = bytes.concat(vm.getCode(string.concat(name, ".sol:", name)), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
            if iszero(made) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    function newToken(
        string memory name,
        string memory symbol,
        address holder,
        uint256 supply
    ) internal returns (DaoToken) {
        return DaoToken(deploy("DaoToken", abi.encode(name, symbol, holder, supply)));
    }

    function newRegistry(
        DaoToken token_,
        uint256 minimum,
        uint256 unbonding,
        address owner_
    ) internal returns (SupernodeRegistry) {
        return SupernodeRegistry(deploy("SupernodeRegistry", abi.encode(token_, minimum, unbonding, owner_)));
    }

    function create(ITasks.TaskRules memory r, uint256 funds) internal returns (uint64) {
        vm.prank(DAO);
        return coordinator.createTask(r, funds);
    }

    // Keys and accounts

    function key(uint256 i) internal pure returns (uint256) {
        return 0xbeef00 + i;
    }

    function node(uint256 i) internal pure returns (address) {
        return vm.addr(key(i));
    }

    function ownerOf(uint256 operatorKey) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("owner", operatorKey)))));
    }

    function owner(uint256 i) internal pure returns (address) {
        return ownerOf(key(i));
    }

    function give(address to, uint256 amount) internal {
        vm.prank(DAO);
        token.transfer(to, amount);
        vm.prank(to);
        token.approve(address(registry), type(uint256).max);
    }

    function registerKey(uint256 operatorKey, uint256 stake) internal {
        address to = ownerOf(operatorKey);
        give(to, stake);
        bytes memory signature = operatorSignature(to, vm.addr(operatorKey), operatorKey);
        vm.prank(to);
        registry.register(vm.addr(operatorKey), stake, signature);
    }

    function join(uint256 i) internal {
        vm.prank(owner(i));
        coordinator.join(task, node(i));
    }

    // Signatures

    function domain(address contract_) internal view returns (bytes32) {
        bytes32 typehash = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        );
        return
            keccak256(
                abi.encode(typehash, keccak256("Commonweight"), keccak256("1"), block.chainid, contract_)
            );
    }

    function sign(
        uint256 signer,
        address contract_,
        bytes32 structHash
    ) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(
            signer,
            keccak256(abi.encodePacked("\x19\x01", domain(contract_), structHash))
        );
        return abi.encodePacked(r, s, v);
    }

    function operatorSignature(
        address owner_,
        address operator,
        uint256 signer
    ) internal view returns (bytes memory) {
        bytes32 typehash = keccak256("Operator(address owner,address operator)");
        return sign(signer, address(registry), keccak256(abi.encode(typehash, owner_, operator)));
    }

    function commitment(uint256 i, uint64 round) internal pure returns (bytes32) {
        return keccak256(abi.encode("commitment", i, round));
    }

    function signCommit(uint64 round, uint256 i, bytes32 value) internal view returns (bytes memory) {
        bytes32 typehash = keccak256(
            "Commit(uint64 task,uint64 round,bytes32 opening,address node,bytes32 commitment)"
        );
        bytes32 opening = coordinator.roundOf(task, round).opening;
        bytes32 message = keccak256(abi.encode(typehash, task, round, opening, node(i), value));
        return sign(key(i), address(coordinator), message);
    }

    // The steps of a round

    function open() internal returns (uint64) {
        return coordinator.openRound(task);
    }

    function close(uint64 round) internal {
        close(round, uint32(NODES));
    }

    function close(uint64 round, uint32 commits) internal {
        close(round, commits, 0);
    }

    function close(uint64 round, uint32 commits, uint32 passes) internal {
        close(round, commitsRoot(round), commits, passes);
    }

    function close(uint64 round, bytes32 root, uint32 commits, uint32 passes) internal {
        uint48 openBlock = coordinator.roundOf(task, round).openBlock;
        bytes32 forcedHash = coordinator.forcedHashOf(task, round);
        vm.prank(superlink);
        coordinator.closeCommits(task, round, openBlock, root, forcedHash, commits, passes);
    }

    function force(uint64 round, uint256 i) internal {
        bytes32 value = commitment(i, round);
        coordinator.commit(task, round, node(i), value, signCommit(round, i, value));
    }

    function result(uint64 round) internal view returns (IRounds.Result memory) {
        return
            IRounds.Result({
                commitsRoot: commitsRoot(round),
                seed: bytes32(block.prevrandao),
                statement: keccak256(abi.encode(statement(round))),
                modelDigest: keccak256(abi.encode("model", round)),
                manifestDigest: keccak256(abi.encode("manifest", round)),
                accountsRoot: keccak256(abi.encode("accounts", round)),
                forcedHash: coordinator.forcedHashOf(task, round),
                inputs: 2,
                revealed: 3,
                weightSum: 1 << 20,
                rewardTotal: BUDGET * uint128(round)
            });
    }

    function statement(uint64 round) internal pure returns (IStatements.Statement memory) {
        return
            IStatements.Statement({
                rowsRoot: keccak256(abi.encode("rows", round)),
                inputsRoot: keccak256(abi.encode("inputs", round)),
                aggregateRoot: keccak256(abi.encode("aggregate", round)),
                modelRoot: keccak256(abi.encode("model root", round)),
                newStepRoot: keccak256(abi.encode("new step root", round)),
                gateRoot: keccak256(abi.encode("gate", round)),
                gradientRoot: keccak256(abi.encode("gradient", round)),
                stepRoot: keccak256(abi.encode("step", round)),
                gateTotals: keccak256(abi.encode("gate totals", round)),
                stepTotals: keccak256(abi.encode("step totals", round)),
                mediansHash: HASH_OF_NOTHING,
                usedShards: HASH_OF_NOTHING,
                gateSquare: 1 << 90,
                gradientAlong: -(1 << 80),
                stepSquare: 1 << 70,
                alongMedian: 1 << 60,
                normMedian: 1 << 50,
                rows: 3,
                accounts: 3
            });
    }

    function post(uint64 round) internal {
        post(round, result(round));
    }

    function post(uint64 round, IRounds.Result memory r) internal {
        vm.prank(superlink);
        coordinator.postResult(task, round, r);
    }

    function posted() internal returns (uint64 round) {
        round = open();
        close(round);
        post(round);
    }

    function challenge(uint64 round) internal {
        vm.prank(CHALLENGER);
        coordinator.challenge(task, round, "wrong");
    }

    function resolve(uint64 round, bool valid) internal {
        vm.prank(DAO);
        coordinator.resolve(task, round, valid);
    }

    function finalize(uint64 round) internal {
        coordinator.finalize(task, round, result(round));
    }

    function finalized() internal returns (uint64 round) {
        round = posted();
        skip(CHALLENGE);
        finalize(round);
    }

    function skip(uint256 time) internal {
        vm.warp(block.timestamp + time);
        vm.roll(block.number + 1);
    }

    function phase(uint64 round) internal view returns (IRounds.Phase) {
        return coordinator.roundOf(task, round).phase;
    }

    function head() internal view returns (uint256) {
        return coordinator.taskOf(task).head;
    }

    // The tree of commits: all nodes, in the order of their numbers; the contract asks for no order

    function commitsRoot(uint64 round) internal pure returns (bytes32) {
        return commitsRoot(round, (1 << NODES) - 1);
    }

    /// @dev Root of the tree of depth 20 over the commits of the nodes whose bits are set.
    function commitsRoot(uint64 round, uint256 nodes) internal pure returns (bytes32 root) {
        bytes32[] memory hashes = new bytes32[](4);
        for (uint256 i = 0; i < 4; ++i)
            if (nodes & (1 << i) != 0) hashes[i] = sha256(abi.encodePacked(node(i), commitment(i, round)));
        (root, ) = BodyTree.open(hashes, 0, 20);
    }

    // Assertions

    function eq(uint256 a, uint256 b) internal pure {
        require(a == b, string.concat(decimal(a), " is not ", decimal(b)));
    }

    function eq(address a, address b) internal pure {
        require(a == b, "addresses differ");
    }

    function eq(bytes32 a, bytes32 b) internal pure {
        require(a == b, "words differ");
    }

    function eq(IRounds.Phase a, IRounds.Phase b) internal pure {
        eq(uint256(a), uint256(b));
    }

    function check(bool condition) internal pure {
        require(condition, "condition does not hold");
    }

    /// @dev The call must revert with exactly this error.
    function refuses(address sender, address target, bytes memory data, bytes memory expected) internal {
        vm.prank(sender);
        (bool done, bytes memory actual) = target.call(data);
        require(!done, "the call was not refused");
        require(keccak256(actual) == keccak256(expected), "refused with another error");
    }

    function refuses(address sender, bytes memory data, bytes memory expected) internal {
        refuses(sender, address(coordinator), data, expected);
    }

    function decimal(uint256 value) internal pure returns (string memory text) {
        bytes memory digits;
        do {
            digits = abi.encodePacked(bytes1(uint8(48 + (value % 10))), digits);
            value /= 10;
        } while (value != 0);
        return string(digits);
    }
}
