// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Stake of Supernodes and Superlinks
/// @notice An owner (cold key) stakes tokens behind an operator (hot key). The operator signs; it can withdraw nothing.
/// Balance >= active + unbonding stake, always. Staked tokens keep their votes (IVotes, clock: timestamp).
interface ISupernodeRegistry {
    struct Supernode {
        address owner;
        uint128 active;
        uint128 unbonding;
        uint64 releaseTime;
    }

    event Registered(address indexed operator, address indexed owner, uint256 amount);
    event StakeAdded(address indexed operator, uint256 amount);
    event Unbonding(address indexed operator, uint256 amount, uint256 releaseTime);
    event Withdrawn(address indexed operator, address indexed owner, uint256 amount);
    event Slashed(
        address indexed operator,
        uint256 amount,
        address indexed beneficiary,
        uint256 beneficiaryAmount
    );
    event SlasherSet(address indexed slasher, bool allowed);

    error NotOwnerOf(address operator, address caller);
    error AlreadyRegistered(address operator);
    error NotRegistered(address operator);
    error OperatorIsOwner(address account);
    error BadOperatorSignature(address recovered, address operator);
    error StakeTooSmall(uint256 amount, uint256 minimum);
    error StakeTooLarge(uint256 amount);
    error InsufficientStake(uint256 asked, uint256 active);
    error StillUnbonding(uint256 releaseTime);
    error NothingToWithdraw(address operator);
    error NotSlasher(address caller);
    error ZeroAmount();

    /// @notice Stake `amount` of the caller's tokens behind `operator`; the caller becomes its owner for good.
    /// @param signature EIP-712 `Operator(address owner,address operator)` by the operator.
    function register(address operator, uint256 amount, bytes calldata signature) external;
    function addStake(address operator, uint256 amount) external;
    /// @notice Begin to take stake out; it stays slashable for `unbondingPeriod`. A further call restarts the clock for all.
    function unbond(address operator, uint256 amount) external;
    /// @notice Send released stake to the owner. Anyone may call; cannot be paused.
    function withdraw(address operator) external;
    /// @notice Take up to `amount` (active first, then unbonding); `beneficiaryAmount` is at most half, the rest is burned.
    function slash(
        address operator,
        uint256 amount,
        address beneficiary,
        uint256 beneficiaryAmount
    ) external returns (uint256 slashed);
    function setSlasher(address slasher, bool allowed) external;

    function supernode(address operator) external view returns (Supernode memory);
    function ownerOf(address operator) external view returns (address);
    function stakeOf(address operator) external view returns (uint256);
    /// @notice Active stake at the end of block `blockNumber`, which must be past.
    function stakeAt(address operator, uint256 blockNumber) external view returns (uint256);
    function unbondingPeriod() external view returns (uint256);
    function minimumStake() external view returns (uint256);
}
