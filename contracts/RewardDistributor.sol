// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IVotes } from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { MerkleProof } from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import { IRewardDistributor } from "./interfaces/IRewardDistributor.sol";
import { ITasks } from "./interfaces/ITasks.sol";

/// @title Escrow of tasks and claims of rewards
/// @notice Invariants: per task, claimed <= promised (`totalOf`) <= funded; the balance covers funded - claimed of all
/// tasks. A wrong root can therefore cost no other task a token. Only the coordinator can change anything here, nobody
/// can pause it, and the coordinator can neither lower nor take back what is promised.
contract RewardDistributor is IRewardDistributor {
    using SafeERC20 for IERC20;

    struct Escrow {
        uint128 funded; // less refunds
        uint128 total; // promised by the active root
        bytes32 root;
        uint256 claimed;
    }

    /// @dev The root of a task that has none yet. The first funder pays for the slot, so that the task's first round
    /// costs the Superlink no more gas than the others; no leaf and no inner node hashes to this value.
    bytes32 private constant NO_ROOT = bytes32(uint256(1));

    /// @notice The token that rewards are paid in.
    IERC20 public immutable token;
    /// @notice The TrainingCoordinator.
    address public immutable coordinator;

    mapping(uint256 task => Escrow) private _escrows;
    mapping(uint256 task => mapping(address owner => uint256)) private _claimed;

    modifier onlyCoordinator() {
        if (msg.sender != coordinator) revert NotCoordinator(msg.sender);
        _;
    }

    /// @param token_ the DAO's token. This contract delegates its votes to itself: tokens in escrow vote for nobody,
    /// and the history of votes tells how many they were at any time
    /// @param coordinator_ the TrainingCoordinator, whose address the deployment computes ahead of its creation
    constructor(IERC20 token_, address coordinator_) {
        token = token_;
        // slither-disable-next-line missing-zero-check (zero is as wrong as any other address)
        coordinator = coordinator_;
        IVotes(address(token_)).delegate(address(this));
    }

    /// @inheritdoc IRewardDistributor
    function fund(uint256 task, uint256 amount) external {
        uint64 id = SafeCast.toUint64(task);
        if (ITasks(coordinator).taskOf(id).closed) revert ITasks.TaskIsClosed(id);
        _fund(msg.sender, task, amount);
    }

    /// @inheritdoc IRewardDistributor
    function fundFrom(address from, uint256 task, uint256 amount) external onlyCoordinator {
        _fund(from, task, amount);
    }

    /// @inheritdoc IRewardDistributor
    function activate(uint256 task, bytes32 root, uint256 total) external onlyCoordinator {
        Escrow storage escrow = _escrows[task];
        (uint128 funded, uint128 previous) = (escrow.funded, escrow.total);
        if (total < previous) revert TotalDecreased(task, total, previous);
        if (total > funded) revert ExceedsEscrow(task, total, funded);

        escrow.total = uint128(total);
        escrow.root = root;
        emit Activated(task, root, total);
    }

    /// @inheritdoc IRewardDistributor
    function refund(uint256 task, address to) external onlyCoordinator returns (uint256 amount) {
        amount = availableOf(task);
        if (amount == 0) return 0;

        _escrows[task].funded -= uint128(amount);
        emit Refunded(task, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc IRewardDistributor
    function claim(uint256 task, address owner, uint256 cumulative, bytes32[] calldata proof) external {
        Escrow storage escrow = _escrows[task];
        if (!MerkleProof.verifyCalldata(proof, escrow.root, leaf(task, owner, cumulative))) {
            revert BadProof(task, owner, cumulative);
        }
        uint256 before = _claimed[task][owner];
        if (cumulative <= before) revert NothingToClaim(task, owner);
        uint256 amount = cumulative - before;
        uint256 claimed = escrow.claimed + amount;
        if (claimed > escrow.total) revert ExceedsEscrow(task, claimed, escrow.total);

        _claimed[task][owner] = cumulative;
        escrow.claimed = claimed;
        emit Claimed(task, owner, amount, cumulative);
        token.safeTransfer(owner, amount);
    }

    /// @inheritdoc IRewardDistributor
    function fundedOf(uint256 task) external view returns (uint256) {
        return _escrows[task].funded;
    }

    /// @inheritdoc IRewardDistributor
    function totalOf(uint256 task) external view returns (uint256) {
        return _escrows[task].total;
    }

    /// @inheritdoc IRewardDistributor
    function rootOf(uint256 task) external view returns (bytes32) {
        bytes32 root = _escrows[task].root;
        return root == NO_ROOT ? bytes32(0) : root;
    }

    /// @inheritdoc IRewardDistributor
    function claimedOf(uint256 task, address owner) external view returns (uint256) {
        return _claimed[task][owner];
    }

    /// @inheritdoc IRewardDistributor
    function availableOf(uint256 task) public view returns (uint256) {
        Escrow storage escrow = _escrows[task];
        return escrow.funded - escrow.total;
    }

    /// @inheritdoc IRewardDistributor
    function leaf(uint256 task, address owner, uint256 cumulative) public view returns (bytes32) {
        // hashed twice, so that no inner node of the tree can pass for a leaf
        return
            keccak256(
                bytes.concat(keccak256(abi.encode(block.chainid, address(this), task, owner, cumulative)))
            );
    }

    function _fund(address from, uint256 task, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        Escrow storage escrow = _escrows[task];
        escrow.funded += SafeCast.toUint128(amount);
        if (escrow.root == 0) escrow.root = NO_ROOT;
        emit Funded(task, from, amount);
        token.safeTransferFrom(from, address(this), amount);
    }
}
