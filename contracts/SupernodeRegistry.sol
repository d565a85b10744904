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
/// stake, and stake leaves to its owner or by a slash, never otherwise.
contract SupernodeRegistry is ISupernodeRegistry, Votes, Ownable, Pausable {
    using Checkpoints for Checkpoints.Trace208;
    using SafeERC20 for IERC20;

    bytes32 private constant OPERATOR_TYPEHASH = keccak256("Operator(address owner,address operator)");

    /// @notice The token that is staked.
    IERC20 public immutable token;
    /// @inheritdoc ISupernodeRegistry
    uint256 public immutable minimumStake;
    /// @inheritdoc ISupernodeRegistry
    uint256 public immutable unbondingPeriod;
    /// @notice The contracts that may slash.
    mapping(address slasher => bool allowed) public isSlasher;

    mapping(address operator => Supernode) private _supernodes;
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
        if (operator == msg.sender) revert OperatorIsOwner(operator);
        if (_supernodes[operator].owner != address(0)) revert AlreadyRegistered(operator);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(OPERATOR_TYPEHASH, msg.sender, operator)));
        // slither-disable-next-line unused-return (a signature that recovers nobody fails the comparison)
        (address recovered, , ) = ECDSA.tryRecoverCalldata(digest, signature);
        if (operator == address(0) || recovered != operator) revert BadOperatorSignature(recovered, operator);

        _supernodes[operator].owner = msg.sender;
        if (delegates(msg.sender) == address(0)) _delegate(msg.sender, _firstDelegate(msg.sender));
        emit Registered(operator, msg.sender, amount);
        _stake(operator, amount);
    }

    /// @inheritdoc ISupernodeRegistry
    function addStake(address operator, uint256 amount) external whenNotPaused {
        _requireOwnerOf(operator);
        if (amount == 0) revert ZeroAmount();
        emit StakeAdded(operator, amount);
        _stake(operator, amount);
    }

    /// @inheritdoc ISupernodeRegistry
    function unbond(address operator, uint256 amount) external {
        _requireOwnerOf(operator);
        if (amount == 0) revert ZeroAmount();
        Supernode storage node = _supernodes[operator];
        uint256 active = node.active;
        if (amount > active) revert InsufficientStake(amount, active);
        uint256 left = active - amount;
        if (left != 0 && left < minimumStake) revert StakeTooSmall(left, minimumStake);

        uint256 releaseTime = block.timestamp + unbondingPeriod;
        node.unbonding += uint128(amount);
        node.releaseTime = SafeCast.toUint64(releaseTime);
        _setActive(operator, left);
        emit Unbonding(operator, amount, releaseTime);
    }

    /// @inheritdoc ISupernodeRegistry
    function withdraw(address operator) external {
        Supernode storage node = _supernodes[operator];
        uint256 amount = node.unbonding;
        if (amount == 0) revert NothingToWithdraw(operator);
        if (block.timestamp < node.releaseTime) revert StillUnbonding(node.releaseTime);
        address to = node.owner;

        node.unbonding = 0;
        _removeVotes(to, amount);
        emit Withdrawn(operator, to, amount);
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
        Supernode storage node = _supernodes[operator];
        if (node.owner == address(0)) revert NotRegistered(operator);
        uint256 active = node.active;
        uint256 unbonding = node.unbonding;
        slashed = Math.min(amount, active + unbonding);
        if (slashed == 0) revert ZeroAmount();
        uint256 fromActive = Math.min(slashed, active);
        uint256 paid = Math.min(beneficiaryAmount, slashed / 2);

        node.unbonding = uint128(unbonding - (slashed - fromActive));
        _setActive(operator, active - fromActive);
        _removeVotes(node.owner, slashed);
        emit Slashed(operator, slashed, beneficiary, paid);
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
        return _supernodes[operator];
    }

    /// @inheritdoc ISupernodeRegistry
    function ownerOf(address operator) external view returns (address) {
        return _supernodes[operator].owner;
    }

    /// @inheritdoc ISupernodeRegistry
    function stakeOf(address operator) external view returns (uint256) {
        return _supernodes[operator].active;
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
    function _stake(address operator, uint256 amount) private {
        Supernode storage node = _supernodes[operator];
        uint256 active = node.active + amount;
        if (active < minimumStake) revert StakeTooSmall(active, minimumStake);
        if (active + node.unbonding > type(uint128).max) revert StakeTooLarge(amount);

        _setActive(operator, active);
        _staked[msg.sender] += amount;
        _transferVotingUnits(address(0), msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _setActive(address operator, uint256 active) private {
        _supernodes[operator].active = uint128(active);
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

    function _requireOwnerOf(address operator) private view {
        address nodeOwner = _supernodes[operator].owner;
        if (nodeOwner == address(0)) revert NotRegistered(operator);
        if (nodeOwner != msg.sender) revert NotOwnerOf(operator, msg.sender);
    }

    /// @dev Staked tokens vote, the unbonding ones included: staking never costs a vote.
    function _getVotingUnits(address account) internal view override returns (uint256) {
        return _staked[account];
    }
}
