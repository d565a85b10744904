// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC5805 } from "@openzeppelin/contracts/interfaces/IERC5805.sol";
import { ERC6372Utils } from "@openzeppelin/contracts/utils/ERC6372Utils.sol";
import { Time } from "@openzeppelin/contracts/utils/types/Time.sol";

/// @title The votes that the governor counts: those of tokens in wallets and those of staked tokens
/// @notice Holds nothing and decides nothing. Invariant: at any time, the votes of all accounts add up to at most the
/// supply that counts, so that a quorum of it is one of tokens that somebody could vote with. What the treasury has not
/// issued and what tasks hold in escrow votes for nobody and counts for no quorum: both delegate to themselves.
contract VotingPower is IERC5805 {
    /// @notice Votes of tokens in wallets.
    IERC5805 public immutable token;
    /// @notice Votes of staked tokens.
    IERC5805 public immutable registry;
    /// @notice The timelock.
    address public immutable treasury;
    /// @notice The RewardDistributor.
    address public immutable escrow;

    /// @notice Votes are delegated where the tokens are: those of the wallet at the token, staked ones at the registry.
    error DelegateAtTokenAndRegistry(address token, address registry);
    /// @notice Treasury and escrow must be two accounts.
    error TreasuryIsEscrow(address account);

    /// @param token_ the DAO's token
    /// @param registry_ the SupernodeRegistry
    /// @param treasury_ the timelock, which delegates its tokens to itself
    /// @param escrow_ the RewardDistributor, which does so too
    constructor(IERC5805 token_, IERC5805 registry_, address treasury_, address escrow_) {
        if (treasury_ == escrow_) revert TreasuryIsEscrow(treasury_);
        token = token_;
        registry = registry_;
        // slither-disable-start missing-zero-check (zero is as wrong as any other address)
        treasury = treasury_;
        escrow = escrow_;
        // slither-disable-end missing-zero-check
    }

    /// @notice Votes are not delegated here.
    function delegate(address) external view {
        revert DelegateAtTokenAndRegistry(address(token), address(registry));
    }

    /// @notice Votes are not delegated here.
    function delegateBySig(address, uint256, uint256, uint8, bytes32, bytes32) external view {
        revert DelegateAtTokenAndRegistry(address(token), address(registry));
    }

    /// @notice Votes of an account now: of all tokens, in wallets and staked, that are delegated to it.
    /// @param account a delegate
    /// @return in wei
    function getVotes(address account) external view returns (uint256) {
        if (_isReserve(account)) return 0;
        return token.getVotes(account) + registry.getVotes(account);
    }

    /// @notice Votes of an account at a past time.
    /// @param account a delegate
    /// @param timepoint block time in seconds, before now
    /// @return in wei
    function getPastVotes(address account, uint256 timepoint) external view returns (uint256) {
        if (_isReserve(account)) return 0;
        return token.getPastVotes(account, timepoint) + registry.getPastVotes(account, timepoint);
    }

    /// @notice The supply that counts at a past time: all tokens but the treasury's and those in escrow.
    /// @param timepoint block time in seconds, before now
    /// @return in wei
    function getPastTotalSupply(uint256 timepoint) external view returns (uint256) {
        return
            token.getPastTotalSupply(timepoint) -
            token.getPastVotes(treasury, timepoint) -
            token.getPastVotes(escrow, timepoint);
    }

    /// @notice The delegate of the tokens in an account's wallet; that of its staked ones is the registry's to say.
    /// @param account a holder
    /// @return its delegate, or zero
    function delegates(address account) external view returns (address) {
        return token.delegates(account);
    }

    /// @notice The clock of the votes (ERC-6372): block time in seconds, as at token and registry.
    /// @return the current block time
    function clock() public view returns (uint48) {
        return Time.timestamp();
    }

    /// @notice What `clock` counts (ERC-6372).
    /// @return "mode=timestamp"
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() external view returns (string memory) {
        return ERC6372Utils.timestampClockMode(clock);
    }

    function _isReserve(address account) private view returns (bool) {
        return account == treasury || account == escrow;
    }
}
