// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC5805 } from "@openzeppelin/contracts/interfaces/IERC5805.sol";
import { ERC6372Utils } from "@openzeppelin/contracts/utils/ERC6372Utils.sol";
import { Time } from "@openzeppelin/contracts/utils/types/Time.sol";

/// @title The votes that the governor counts: those of tokens in wallets and those of staked tokens
/// @notice Stateless. Invariant: at any time, the votes of all accounts add up to at most the supply that counts, so
/// that a quorum is a part of the tokens that somebody could vote with. Tokens of the treasury and of tasks' escrows
/// vote for nobody and count for no quorum: both accounts delegate to themselves.
contract VotingPower is IERC5805 {
    /// @notice The votes of tokens in wallets.
    IERC5805 public immutable token;
    /// @notice The votes of staked tokens.
    IERC5805 public immutable registry;
    /// @notice The timelock.
    address public immutable treasury;
    /// @notice The RewardDistributor.
    address public immutable escrow;

    /// @notice Delegate the votes of the wallet's tokens at the token, and those of staked tokens at the registry.
    error DelegateAtTokenAndRegistry(address token, address registry);
    /// @notice Treasury and escrow must be two accounts.
    error TreasuryIsEscrow(address account);

    /// @param token_ the DAO's token
    /// @param registry_ the SupernodeRegistry
    /// @param treasury_ the timelock, which delegates to itself
    /// @param escrow_ the RewardDistributor, which delegates to itself
    constructor(IERC5805 token_, IERC5805 registry_, address treasury_, address escrow_) {
        if (treasury_ == escrow_) revert TreasuryIsEscrow(treasury_);
        token = token_;
        registry = registry_;
        // slither-disable-start missing-zero-check (zero is as wrong as any other address)
        treasury = treasury_;
        escrow = escrow_;
        // slither-disable-end missing-zero-check
    }

    /// @notice Reverts: delegate at the token and at the registry.
    function delegate(address) external view {
        revert DelegateAtTokenAndRegistry(address(token), address(registry));
    }

    /// @notice Reverts: delegate at the token and at the registry.
    function delegateBySig(address, uint256, uint256, uint8, bytes32, bytes32) external view {
        revert DelegateAtTokenAndRegistry(address(token), address(registry));
    }

    /// @notice Returns the votes of an account now: of all tokens, in wallets and staked, that are delegated to it.
    /// @param account a delegate
    /// @return votes in wei
    function getVotes(address account) external view returns (uint256) {
        if (_isReserve(account)) return 0;
        return token.getVotes(account) + registry.getVotes(account);
    }

    /// @notice Returns the votes of an account at a past time.
    /// @param account a delegate
    /// @param timepoint block time in seconds, before now
    /// @return votes in wei
    function getPastVotes(address account, uint256 timepoint) external view returns (uint256) {
        if (_isReserve(account)) return 0;
        return token.getPastVotes(account, timepoint) + registry.getPastVotes(account, timepoint);
    }

    /// @notice Returns the supply that counts at a past time: all tokens but the treasury's and those in escrow.
    /// @param timepoint block time in seconds, before now
    /// @return votes in wei
    function getPastTotalSupply(uint256 timepoint) external view returns (uint256) {
        return
            token.getPastTotalSupply(timepoint) -
            token.getPastVotes(treasury, timepoint) -
            token.getPastVotes(escrow, timepoint);
    }

    /// @notice Returns the delegate of the tokens in an account's wallet; the registry knows that of its staked tokens.
    /// @param account a holder
    /// @return its delegate, or zero
    function delegates(address account) external view returns (address) {
        return token.delegates(account);
    }

    /// @notice Returns the clock of the votes (ERC-6372): block time in seconds, as at token and registry.
    /// @return the current block time
    function clock() public view returns (uint48) {
        return Time.timestamp();
    }

    /// @notice Returns the unit of `clock` (ERC-6372).
    /// @return "mode=timestamp"
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() external view returns (string memory) {
        return ERC6372Utils.timestampClockMode(clock);
    }

    function _isReserve(address account) private view returns (bool) {
        return account == treasury || account == escrow;
    }
}
