// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title Checks the messages of docs/protocol.md, "Signed messages", in the coordinator's domain
library Signatures {
    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );

    /// @notice Returns whether an account signed a message.
    /// @param coordinator the coordinator, whose domain it is
    /// @param signer the account; the zero address signs nothing
    /// @param message the hash of its struct
    /// @param signature the signature
    /// @return whether it did
    function isSignedBy(
        address coordinator,
        address signer,
        bytes32 message,
        bytes calldata signature
    ) internal view returns (bool) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("Commonweight"), keccak256("1"), block.chainid, coordinator)
        );
        bytes32 digest = MessageHashUtils.toTypedDataHash(domain, message);
        // slither-disable-next-line unused-return (a signature that recovers nobody recovers no signer)
        (address recovered, , ) = ECDSA.tryRecoverCalldata(digest, signature);
        return recovered == signer && signer != address(0);
    }
}
