// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { IVotes } from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import { Votes } from "@openzeppelin/contracts/governance/utils/Votes.sol";
import { ERC20Burnable } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import { ERC6372Utils } from "@openzeppelin/contracts/utils/ERC6372Utils.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import { Pausable } from "@openzeppelin/contracts/utils/Pausable.sol";
import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { Time } from "@openzeppelin/contracts/utils/types/Time.sol";

import { ISupernodeRegistry } from "./interfaces/ISupernodeRegistry.sol";

/// @title Stake of Supernodes and Superlinks, and the votes of staked tokens
/// @notice Invariants: the balance covers active + unbonding stake; the votes' total supply is exactly that stake;
/// an owner's voting units are the active and unbonding stake of its Supernodes. Only the owner or a slasher lowers a
/// stake, and stake leaves to its owner or by a slash, never otherwise. At any block one operator at most has the active
/// stake of a Supernode; all that it ever had stand for it when it is slashed.
contract SupernodeRegistry is ISupernodeRegistry, Votes, Ownable, Pausable {
    using Checkpoints for Checkpoints.Trace208;
    using SafeERC20 for IERC20;

    /// @dev A Supernode, kept by its first operator; its other operators only lead there. The second slot is all that a
    /// round reads.
    struct Stake {
        address owner; // zero at the other operators
        uint64 releaseTime;
        uint120 active;
        uint120 unbonding;
        bool rotated; // the active stake is not the first operator's, and at the other operators always
        bool revoked; // nor the newest one's
        address other; // the newest operator if `rotated`; at the other operators the first
    }

    bytes32 private constant OPERATOR_TYPEHASH = keccak256("Operator(address owner,address operator)");

    /// @notice The token that is staked.
    IERC20 public immutable token;
    /// @inheritdoc ISupernodeRegistry
    uint256 public immutable minimumStake;
    /// @inheritdoc ISupernodeRegistry
    uint256 public immutable unbondingPeriod;
    /// @notice The contracts that may slash.
    mapping(address slasher => bool allowed) public isSlasher;

    mapping(address operator => Stake) private _stakes;
    mapping(address operator => Checkpoints.Trace208) private _activeByBlock;
    mapping(address owner => uint256) private _staked;

    /// @param token_ the DAO's token (burnable, with votes)
    /// @param minimumStake_ least active stake of a Supernode that has any, in wei
    /// @param unbondingPeriod_ seconds for which stake stays slashable after its owner unbonded it
    /// @param owner_ the timelock
    constructor(
        IERC20 token_,
        uint256 minimumStake_,
        uint256 unbondingPeriod_,
        address owner_
    ) EIP712("Commonweight", "1") Ownable(owner_) {
        token = token_;
        minimumStake = minimumStake_;
        unbondingPeriod = unbondingPeriod_;
    }

    /// @inheritdoc ISupernodeRegistry
    function register(address operator, uint256 amount, bytes calldata signature) external whenNotPaused {
        _requireNew(operator, signature);

        _stakes[operator].owner = msg.sender;
        if (delegates(msg.sender) == address(0)) _delegate(msg.sender, _firstDelegate(msg.sender));
        emit Registered(operator, msg.sender, amount);
        _stake(_stakes[operator], operator, amount);
    }

    /// @inheritdoc ISupernodeRegistry
    function rotate(address operator, address successor, bytes calldata signature) external {
        (Stake storage stake, address first, address previous) = _owned(operator);
        _requireNew(successor, signature);

        Stake storage link = _stakes[successor];
        (link.other, link.rotated) = (first, true);
        if (!stake.revoked) _record(previous, 0);
        (stake.other, stake.rotated, stake.revoked) = (successor, true, false);
        _record(successor, stake.active);
        emit Rotated(previous, successor);
    }

    /// @inheritdoc ISupernodeRegistry
    function revoke(address operator) external {
        (Stake storage stake, , address newest) = _owned(operator);
        if (stake.revoked) revert AlreadyRevoked(newest);

        (stake.other, stake.rotated, stake.revoked) = (newest, true, true);
        _record(newest, 0);
        emit Revoked(newest);
    }

    /// @inheritdoc ISupernodeRegistry
    function addStake(address operator, uint256 amount) external whenNotPaused {
        (Stake storage stake, , address newest) = _owned(operator);
        if (amount == 0) revert ZeroAmount();
        emit StakeAdded(newest, amount);
        _stake(stake, newest, amount);
    }

    /// @inheritdoc ISupernodeRegistry
    function unbond(address operator, uint256 amount) external {
        (Stake storage stake, , address newest) = _owned(operator);
        if (amount == 0) revert ZeroAmount();
        uint256 active = stake.active;
        if (amount > active) revert InsufficientStake(amount, active);
        uint256 left = active - amount;
        if (left != 0 && left < minimumStake) revert StakeTooSmall(left, minimumStake);

        uint256 releaseTime = block.timestamp + unbondingPeriod;
        stake.unbonding += uint120(amount);
        stake.releaseTime = SafeCast.toUint64(releaseTime);
        _setActive(stake, newest, left);
        emit Unbonding(newest, amount, releaseTime);
    }

    /// @inheritdoc ISupernodeRegistry
    function withdraw(address operator) external {
        (Stake storage stake, , address newest) = _find(operator);
        uint256 amount = stake.unbonding;
        if (amount == 0) revert NothingToWithdraw(operator);
        if (block.timestamp < stake.releaseTime) revert StillUnbonding(stake.releaseTime);
        address to = stake.owner;

        stake.unbonding = 0;
        _removeVotes(to, amount);
        emit Withdrawn(newest, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc ISupernodeRegistry
    function slash(
        address operator,
        uint256 amount,
        address beneficiary,
        uint256 beneficiaryAmount
    ) external returns (uint256 slashed) {
        if (!isSlasher[msg.sender]) revert NotSlasher(msg.sender);
        (Stake storage stake, , address newest) = _find(operator);
        if (stake.owner == address(0)) revert NotRegistered(operator);
        uint256 active = stake.active;
        uint256 unbonding = stake.unbonding;
        slashed = Math.min(amount, active + unbonding);
        if (slashed == 0) revert ZeroAmount();
        uint256 fromActive = Math.min(slashed, active);
        uint256 paid = Math.min(beneficiaryAmount, slashed / 2);

        stake.unbonding = uint120(unbonding - (slashed - fromActive));
        _setActive(stake, newest, active - fromActive);
        _removeVotes(stake.owner, slashed);
        emit Slashed(newest, slashed, beneficiary, paid);
        if (paid != 0) token.safeTransfer(beneficiary, paid);
        ERC20Burnable(address(token)).burn(slashed - paid);
    }

    /// @inheritdoc ISupernodeRegistry
    function setSlasher(address slasher, bool allowed) external onlyOwner {
        isSlasher[slasher] = allowed;
        emit SlasherSet(slasher, allowed);
    }

    /// @notice Stops `register` and `addStake`, and nothing else. Only the DAO may call.
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Lets `register` and `addStake` work again. Only the DAO may call.
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @inheritdoc ISupernodeRegistry
    function supernode(address operator) external view returns (Supernode memory) {
        (Stake storage stake, , address newest) = _find(operator);
        return
            Supernode(stake.owner, stake.active, stake.unbonding, stake.releaseTime, newest, stake.revoked);
    }

    /// @inheritdoc ISupernodeRegistry
    function ownerOf(address operator) external view returns (address) {
        (Stake storage stake, , ) = _find(operator);
        return stake.owner;
    }

    /// @inheritdoc ISupernodeRegistry
    function stakeOf(address operator) external view returns (uint256) {
        Stake storage stake = _stakes[operator];
        // one slot where no operator was ever replaced: every round asks for its Superlink's stake
        return stake.rotated ? _activeByBlock[operator].latest() : stake.active;
    }

    /// @inheritdoc ISupernodeRegistry
    function stakeAt(address operator, uint256 blockNumber) external view returns (uint256) {
        uint48 current = Time.blockNumber();
        if (blockNumber >= current) revert ERC5805FutureLookup(blockNumber, current);
        return _activeByBlock[operator].upperLookupRecent(uint48(blockNumber));
    }

    /// @notice Returns the clock of the votes (ERC-6372): block time in seconds.
    /// @return the current block time
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @notice Returns the unit of `clock` (ERC-6372).
    /// @return "mode=timestamp"
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public view override returns (string memory) {
        return ERC6372Utils.timestampClockMode(clock);
    }

    /// @dev Adds the caller's tokens to the active stake. Calls out, so it is the last step of a function.
    function _stake(Stake storage stake, address newest, uint256 amount) private {
        uint256 active = stake.active + amount;
        if (active < minimumStake) revert StakeTooSmall(active, minimumStake);
        if (active + stake.unbonding > type(uint120).max) revert StakeTooLarge(amount);

        _setActive(stake, newest, active);
        _staked[msg.sender] += amount;
        _transferVotingUnits(address(0), msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _setActive(Stake storage stake, address newest, uint256 active) private {
        stake.active = uint120(active);
        if (!stake.revoked) _record(newest, active);
    }

    /// @dev Records what an operator has from this block on.
    function _record(address operator, uint256 active) private {
        // slither-disable-next-line unused-return (the old and new stake, both known)
        _activeByBlock[operator].push(Time.blockNumber(), uint208(active));
    }

    function _removeVotes(address account, uint256 amount) private {
        _staked[account] -= amount;
        _transferVotingUnits(account, address(0), amount);
    }

    /// @dev Returns the delegate of the account's wallet, so that staking its tokens moves no vote.
    function _firstDelegate(address account) private view returns (address) {
        address delegatee = IVotes(address(token)).delegates(account);
        return delegatee == address(0) ? account : delegatee;
    }

    /// @dev Reverts unless the operator is new, and agreed to serve the caller.
    function _requireNew(address operator, bytes calldata signature) private view {
        if (operator == msg.sender) revert OperatorIsOwner(operator);
        (Stake storage stake, , ) = _find(operator);
        if (stake.owner != address(0)) revert AlreadyRegistered(operator);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(OPERATOR_TYPEHASH, msg.sender, operator)));
        // slither-disable-next-line unused-return (a signature that recovers nobody fails the comparison)
        (address recovered, , ) = ECDSA.tryRecoverCalldata(digest, signature);
        if (operator == address(0) || recovered != operator) revert BadOperatorSignature(recovered, operator);
    }

    /// @dev Returns the Supernode of one of its operators, the first and the newest of them. The caller must be its owner.
    function _owned(
        address operator
    ) private view returns (Stake storage stake, address first, address newest) {
        (stake, first, newest) = _find(operator);
        if (stake.owner == address(0)) revert NotRegistered(operator);
        if (stake.owner != msg.sender) revert NotOwnerOf(operator, msg.sender);
    }

    /// @dev The same; of an account that never was an operator, an empty Supernode without operators.
    function _find(
        address operator
    ) private view returns (Stake storage stake, address first, address newest) {
        first = operator;
        stake = _stakes[first];
        if (stake.owner == address(0)) {
            first = stake.other;
            stake = _stakes[first];
        }
        newest = stake.rotated ? stake.other : first;
    }

    /// @dev Staked tokens vote, the unbonding ones included: staking never costs a vote.
    function _getVotingUnits(address account) internal view override returns (uint256) {
        return _staked[account];
    }
}
