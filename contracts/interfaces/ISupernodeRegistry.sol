// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Stake of Supernodes and Superlinks
/// @notice An owner (cold key) stakes tokens behind an operator (hot key). The operator signs and can withdraw nothing.
/// The owner alone replaces the operator or revokes it; a Supernode may be named by any operator that it ever had.
/// Staked tokens keep their votes (IVotes, clock: timestamp). Invariant: balance >= active + unbonding stake.
interface ISupernodeRegistry {
    /// @notice The stake of an owner behind its newest operator, in wei; unbonding stake is released at `releaseTime`.
    /// While the operator is revoked, the active stake counts for nobody.
    struct Supernode {
        address owner;
        uint256 active;
        uint256 unbonding;
        uint256 releaseTime;
        address operator;
        bool revoked;
    }

    /// @notice An owner staked behind a new operator.
    event Registered(address indexed operator, address indexed owner, uint256 amount);
    /// @notice Another operator has a Supernode's stake from this block on.
    event Rotated(address indexed operator, address indexed successor);
    /// @notice A Supernode's newest operator has no stake from this block on.
    event Revoked(address indexed operator);
    /// @notice An owner staked more. This event and the others name a Supernode by its newest operator.
    event StakeAdded(address indexed operator, uint256 amount);
    /// @notice An owner unbonded `amount`; all unbonding stake is released at `releaseTime`.
    event Unbonding(address indexed operator, uint256 amount, uint256 releaseTime);
    /// @notice Released stake went to its owner.
    event Withdrawn(address indexed operator, address indexed owner, uint256 amount);
    /// @notice Stake was slashed: the beneficiary was paid its part, and the rest was burned.
    event Slashed(
        address indexed operator,
        uint256 amount,
        address indexed beneficiary,
        uint256 beneficiaryAmount
    );
    /// @notice The DAO allowed a slasher, or disallowed it.
    event SlasherSet(address indexed slasher, bool allowed);

    /// @notice The caller is not the Supernode's owner.
    error NotOwnerOf(address operator, address caller);
    /// @notice The Supernode's operator is revoked already.
    error AlreadyRevoked(address operator);
    /// @notice The operator has an owner for good, also once it was replaced: take another key.
    error AlreadyRegistered(address operator);
    /// @notice The operator has no owner.
    error NotRegistered(address operator);
    /// @notice Operator (hot key) and owner (cold key) must be two accounts.
    error OperatorIsOwner(address account);
    /// @notice The operator did not sign that it serves this owner.
    error BadOperatorSignature(address recovered, address operator);
    /// @notice Active stake must be zero or at least the minimum.
    error StakeTooSmall(uint256 amount, uint256 minimum);
    /// @notice The stake behind the operator would exceed 2^120 - 1 wei.
    error StakeTooLarge(uint256 amount);
    /// @notice The amount exceeds the active stake.
    error InsufficientStake(uint256 asked, uint256 active);
    /// @notice Unbonding stake is released at this time.
    error StillUnbonding(uint256 releaseTime);
    /// @notice The Supernode has no unbonding stake.
    error NothingToWithdraw(address operator);
    /// @notice The caller is not a slasher.
    error NotSlasher(address caller);
    /// @notice The amount is zero, or no stake is left to slash.
    error ZeroAmount();

    /// @notice Stakes tokens of the caller, who approved this contract, behind a new operator. The caller becomes its
    /// owner for good. Anyone may call.
    /// @param operator the operator's address
    /// @param amount the stake in wei, at least the minimum
    /// @param signature EIP-712 `Operator(address owner,address operator)` by the operator
    function register(address operator, uint256 amount, bytes calldata signature) external;
    /// @notice Replaces a Supernode's operator. The old one has no stake from this block on and can sign for no round that
    /// opens later; the whole stake, the unbonding one included, stays slashable for what it signed. The Supernode
    /// leaves its tasks with the old operator and joins them with the new one. Works also while the contract is paused.
    /// Only the owner may call.
    /// @param operator an operator of the Supernode
    /// @param successor the new operator, never one before
    /// @param signature EIP-712 `Operator(address owner,address operator)` by the new operator
    function rotate(address operator, address successor, bytes calldata signature) external;
    /// @notice Revokes a Supernode's operator: as `rotate` does, but nobody replaces it. The stake stays, to unbond or to
    /// rotate. Works also while the contract is paused. Only the owner may call.
    /// @param operator an operator of the Supernode
    function revoke(address operator) external;
    /// @notice Stakes more tokens of the caller behind its operator. Only the owner may call.
    /// @param operator the operator
    /// @param amount the additional stake in wei
    function addStake(address operator, uint256 amount) external;
    /// @notice Unbonds active stake, which stays slashable for `unbondingPeriod`. A further call restarts the period
    /// for all unbonding stake. Only the owner may call.
    /// @param operator the operator
    /// @param amount the stake to unbond in wei
    function unbond(address operator, uint256 amount) external;
    /// @notice Sends released stake to the owner. Anyone may call, also while the contract is paused.
    /// @param operator the operator
    function withdraw(address operator) external;
    /// @notice Slashes stake, active stake first, then unbonding stake; pays a part to a beneficiary and burns the
    /// rest. Only a slasher may call.
    /// @param operator the operator
    /// @param amount the most to slash in wei
    /// @param beneficiary receives the part that is not burned
    /// @param beneficiaryAmount that part in wei; more than half of the slashed stake counts as half
    /// @return slashed the slashed stake in wei
    function slash(
        address operator,
        uint256 amount,
        address beneficiary,
        uint256 beneficiaryAmount
    ) external returns (uint256 slashed);
    /// @notice Allows a contract to slash, or disallows it. Only the DAO may call.
    /// @param slasher the contract
    /// @param allowed whether it may slash from now on
    function setSlasher(address slasher, bool allowed) external;

    /// @notice Returns the owner of an operator and the stake behind it.
    /// @param operator the operator
    /// @return the Supernode; all zero when it is not registered
    function supernode(address operator) external view returns (Supernode memory);
    /// @notice Returns the owner of an operator, also of one that was replaced.
    /// @param operator the operator
    /// @return the owner; zero when the operator is not registered
    function ownerOf(address operator) external view returns (address);
    /// @notice Returns the active stake that the operator has now: none once it was replaced or revoked.
    /// @param operator the operator
    /// @return stake in wei
    function stakeOf(address operator) external view returns (uint256);
    /// @notice Returns the active stake at the end of a past block.
    /// @param operator the operator
    /// @param blockNumber the block
    /// @return stake in wei
    function stakeAt(address operator, uint256 blockNumber) external view returns (uint256);
    /// @notice Returns for how long stake stays slashable after its owner unbonded it.
    /// @return the period in seconds
    function unbondingPeriod() external view returns (uint256);
    /// @notice Returns the least active stake of a Supernode that has any.
    /// @return stake in wei
    function minimumStake() external view returns (uint256);
}
