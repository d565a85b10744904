// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { ERC20Burnable } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import { ERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import { ERC20Votes } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import { ERC6372Utils } from "@openzeppelin/contracts/utils/ERC6372Utils.sol";
import { Nonces } from "@openzeppelin/contracts/utils/Nonces.sol";
import { Time } from "@openzeppelin/contracts/utils/types/Time.sol";

/// @title The token of a data DAO
/// @notice Stakes, rewards and wallet votes. The whole supply is minted once: afterwards it can only be burned.
/// Votes count from a delegation on, and their clock is the block time. The first holder, the treasury, delegates to
/// itself, so that it is known of any time what was not issued yet.
contract DaoToken is ERC20, ERC20Burnable, ERC20Permit, ERC20Votes {
    /// @param name_ name of the token, also of its EIP-712 domain (version "1")
    /// @param symbol_ ticker
    /// @param holder receives the whole supply
    /// @param supply in wei, at most 2^208 - 1
    constructor(
        string memory name_,
        string memory symbol_,
        address holder,
        uint256 supply
    ) ERC20(name_, symbol_) ERC20Permit(name_) {
        _delegate(holder, holder);
        _mint(holder, supply);
    }

    /// @notice The clock of the votes (ERC-6372): block time in seconds.
    /// @return the current block time
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @notice What `clock` counts (ERC-6372).
    /// @return "mode=timestamp"
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public view override returns (string memory) {
        return ERC6372Utils.timestampClockMode(clock);
    }

    /// @notice The next nonce of an account's permits and delegations by signature.
    /// @param account who signs
    /// @return the nonce
    function nonces(address account) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(account);
    }

    /// @dev Balances and votes move together.
    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
