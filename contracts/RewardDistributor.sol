// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { IVotes } from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import { IRewardDistributor } from "./interfaces/IRewardDistributor.sol";
import { ITasks } from "./interfaces/ITasks.sol";
import { Trees } from "./Trees.sol";

/// @title Escrow of tasks and claims of rewards
/// @notice Invariants: per task, claimed <= promised (`totalOf`) <= funded; the balance covers funded - claimed of all
/// tasks. A wrong root can therefore cost no other task a token. Only the coordinator can change anything here, nobody
/// can pause it, and the coordinator can neither lower nor take back what is promised. A proof stays good for 64 roots,
/// so no claim is late because a round became final meanwhile. What nobody has claimed a year after a task closed, the
/// DAO may take back.
contract RewardDistributor is IRewardDistributor {
    using SafeERC20 for IERC20;

    /// @dev How many roots, the newest ones, pay claims.
    uint256 private constant ROOTS = 64;
    /// @dev How long a closed task's rewards wait for their owners.
    uint256 private constant CLAIM_PERIOD = 365 days;
    /// @dev Depth of the tree of accounts, and length of its leaves.
    uint256 private constant DEPTH = 20;
    uint256 private constant LEAF = 72;

    /// @dev In a struct, for an array of these is written without being read.
    struct Root {
        bytes32 value;
    }

    struct Escrow {
        uint112 funded; // less refunds
        uint112 total; // promised by the newest root
        uint32 count; // of roots so far
        uint128 claimed; // by owners, and what the DAO recovered
        uint64 closedAt; // time of the refund that closed the task
        Root[ROOTS] roots; // number n, from 0, is at n % ROOTS
    }

    /// @dev Stands where a root will. The first funder pays for the slots, so that the first rounds cost the Superlink no
    /// more gas than the others.
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
        (uint112 funded, uint112 previous, uint32 count) = (escrow.funded, escrow.total, escrow.count);
        if (total < previous) revert TotalDecreased(task, total, previous);
        if (total > funded) revert ExceedsEscrow(task, total, funded);

        escrow.total = uint112(total);
        unchecked {
            escrow.count = count + 1; // a task has 2^32 - 1 rounds at most
        }
        escrow.roots[count % ROOTS].value = root;
        emit Activated(task, total);
    }

    /// @inheritdoc IRewardDistributor
    function refund(uint256 task, address to) external onlyCoordinator returns (uint256 amount) {
        amount = availableOf(task);

        _escrows[task].closedAt = uint64(block.timestamp);
        if (amount == 0) return 0;
        _escrows[task].funded -= uint112(amount);
        emit Refunded(task, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc IRewardDistributor
    function recoverUnclaimed(uint256 task, address to) external returns (uint256 amount) {
        if (msg.sender != Ownable(coordinator).owner()) revert NotDao(msg.sender);
        Escrow storage escrow = _escrows[task];
        uint256 closedAt = escrow.closedAt;
        if (closedAt == 0) revert TaskNotClosed(task);
        uint256 from = closedAt + CLAIM_PERIOD;
        if (block.timestamp < from) revert StillClaimable(task, from);
        uint128 total = escrow.total; // all that is left in escrow, since the task closed
        amount = total - escrow.claimed;
        if (amount == 0) revert ZeroAmount();

        escrow.claimed = total;
        emit Recovered(task, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc IRewardDistributor
    function claim(uint256 task, bytes calldata leaf, uint256 index, bytes32[] calldata proof) external {
        Escrow storage escrow = _escrows[task];
        if (leaf.length != LEAF || proof.length != DEPTH || index >> DEPTH != 0) revert BadProof(task);
        bytes32 root = Trees.climb(Trees.leafHash(leaf), index, proof);
        if (!_isRecent(escrow, root)) revert BadProof(task);
        _pay(task, escrow, address(bytes20(leaf)), uint128(bytes16(leaf[20:36])));
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
        Escrow storage escrow = _escrows[task];
        uint256 count = escrow.count;
        return count == 0 ? bytes32(0) : escrow.roots[(count - 1) % ROOTS].value;
    }

    /// @inheritdoc IRewardDistributor
    function isRecent(uint256 task, bytes32 root) external view returns (bool) {
        return _isRecent(_escrows[task], root);
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

    function _fund(address from, uint256 task, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        Escrow storage escrow = _escrows[task];
        escrow.funded += SafeCast.toUint112(amount);
        if (escrow.roots[0].value == 0) {
            for (uint256 i = 0; i < ROOTS; ++i) escrow.roots[i].value = NO_ROOT;
        }
        emit Funded(task, from, amount);
        token.safeTransferFrom(from, address(this), amount);
    }

    /// @dev Pays an owner up to this sum of all its payments.
    function _pay(uint256 task, Escrow storage escrow, address owner, uint256 cumulative) private {
        uint256 before = _claimed[task][owner];
        if (cumulative <= before) revert NothingToClaim(task, owner);
        uint256 amount = cumulative - before;
        uint256 claimed = escrow.claimed + amount;
        uint256 total = escrow.total;
        if (claimed > total) revert ExceedsEscrow(task, claimed, total);

        _claimed[task][owner] = cumulative;
        escrow.claimed = uint128(claimed);
        emit Claimed(task, owner, amount, cumulative);
        token.safeTransfer(owner, amount);
    }

    /// @dev Looks from the newest root back, for that is the one that most claims name.
    function _isRecent(Escrow storage escrow, bytes32 root) private view returns (bool) {
        uint256 count = escrow.count;
        for (uint256 last = count; count != 0 && last - count < ROOTS;) {
            if (escrow.roots[--count % ROOTS].value == root) return true;
        }
        return false;
    }
}
