// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Stake of Supernodes and Superlinks
/// @notice An owner (cold key) stakes tokens behind an operator (hot key). The operator signs; it can withdraw nothing.
/// Balance >= active + unbonding stake, always. Staked tokens keep their votes (IVotes, clock: timestamp).
interface ISupernodeRegistry {
    /// @notice What an owner has staked behind an operator, in wei; unbonding stake is released at `releaseTime`.
    struct Supernode {
        address owner;
        uint128 active;
        uint128 unbonding;
        uint64 releaseTime;
    }

    /// @notice An owner staked behind a new operator.
    event Registered(address indexed operator, address indexed owner, uint256 amount);
    /// @notice An owner staked more.
    event StakeAdded(address indexed operator, uint256 amount);
    /// @notice An owner began to take out `amount`; all that is unbonding is released at `releaseTime`.
    event Unbonding(address indexed operator, uint256 amount, uint256 releaseTime);
    /// @notice Released stake went to its owner.
    event Withdrawn(address indexed operator, address indexed owner, uint256 amount);
    /// @notice Stake was taken: the beneficiary's part was paid, the rest burned.
    event Slashed(
        address indexed operator,
        uint256 amount,
        address indexed beneficiary,
        uint256 beneficiaryAmount
    );
    /// @notice The DAO let someone slash, or no longer.
    event SlasherSet(address indexed slasher, bool allowed);

    /// @notice Only the Supernode's owner may.
    error NotOwnerOf(address operator, address caller);
    /// @notice The operator has an owner, for good: take another key.
    error AlreadyRegistered(address operator);
    /// @notice The operator has no owner.
    error NotRegistered(address operator);
    /// @notice The hot key must not be the cold one.
    error OperatorIsOwner(address account);
    /// @notice The operator did not sign that it serves this owner.
    error BadOperatorSignature(address recovered, address operator);
    /// @notice Active stake must be nothing or the minimum at least.
    error StakeTooSmall(uint256 amount, uint256 minimum);
    /// @notice More than 2^128 - 1 wei behind one operator.
    error StakeTooLarge(uint256 amount);
    /// @notice More was asked for than is active.
    error InsufficientStake(uint256 asked, uint256 active);
    /// @notice Nothing is released before this time.
    error StillUnbonding(uint256 releaseTime);
    /// @notice Nothing is unbonding.
    error NothingToWithdraw(address operator);
    /// @notice The DAO did not let the caller slash.
    error NotSlasher(address caller);
    /// @notice An amount of zero, or nothing left to slash.
    error ZeroAmount();

    /// @notice Stake `amount` of the caller's tokens behind `operator`; the caller becomes its owner for good.
    /// @param signature EIP-712 `Operator(address owner,address operator)` by the operator.
    function register(address operator, uint256 amount, bytes calldata signature) external;
    /// @notice Stake more of the caller's tokens; by the owner.
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
    /// @notice The DAO only: let a contract slash, or no longer.
    function setSlasher(address slasher, bool allowed) external;

    /// @notice All that is staked behind an operator.
    function supernode(address operator) external view returns (Supernode memory);
    /// @notice The owner of an operator; zero when it is not registered.
    function ownerOf(address operator) external view returns (address);
    /// @notice Active stake now.
    function stakeOf(address operator) external view returns (uint256);
    /// @notice Active stake at the end of block `blockNumber`, which must be past.
    function stakeAt(address operator, uint256 blockNumber) external view returns (uint256);
    /// @notice Seconds that stake stays slashable once its owner asked for it.
    function unbondingPeriod() external view returns (uint256);
    /// @notice Least active stake of a Supernode that has any, in wei.
    function minimumStake() external view returns (uint256);
}
