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
/// @notice Stakes, rewards and wallet votes are in this token. The constructor mints the whole supply; afterwards
/// tokens can only be burned. Tokens vote once their holder has delegated, and the clock of the votes is the block
/// time. The first holder, the treasury, delegates to itself: so its history of votes tells how much was not issued at
/// any time.
contract DaoToken is ERC20, ERC20Burnable, ERC20Permit, ERC20Votes {
    /// @param name_ name of the token, also of its EIP-712 domain (version "1")
    /// @param symbol_ ticker
    /// @param holder receives the whole supply
    /// @param supply tokens in wei, at most 2^208 - 1
    constructor(
        string memory name_,
        string memory symbol_,
        address holder,
        uint256 supply
    ) ERC20(name_, symbol_) ERC20Permit(name_) {
        _delegate(holder, holder);
        _mint(holder, supply);
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

    /// @notice Returns the next nonce of an account's permits and delegations by signature.
    /// @param account the signer
    /// @return the nonce
    function nonces(address account) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(account);
    }

    /// @dev Balances and votes move together.
    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
