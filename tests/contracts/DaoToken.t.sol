// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { DaoToken } from "../../contracts/DaoToken.sol";
import { Base } from "./Base.sol";

contract DaoTokenTest is Base {
    function test_token__new__holder_has_the_supply() public {
        DaoToken fresh = newToken("Name", "SYM", CHALLENGER, 7);
        eq(fresh.balanceOf(CHALLENGER), 7);
        eq(fresh.totalSupply(), 7);
        eq(keccak256(bytes(fresh.symbol())), keccak256("SYM"));
    }

    function test_token__delegated__votes_by_time() public {
        vm.prank(CHALLENGER);
        token.delegate(CHALLENGER);
        uint256 delegated = block.timestamp;
        eq(token.clock(), delegated);
        eq(keccak256(bytes(token.CLOCK_MODE())), keccak256("mode=timestamp"));
        vm.warp(delegated + 10);
        vm.prank(CHALLENGER);
        token.transfer(ANYONE, 400 ether);
        vm.warp(delegated + 20);
        eq(token.getPastVotes(CHALLENGER, delegated + 9), 1000 ether);
        eq(token.getPastVotes(CHALLENGER, delegated + 10), 600 ether);
    }

    function test_token__permit__approves_once() public {
        address holder = vm.addr(77);
        bytes32 typehash = keccak256(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        );
        bytes32 structHash = keccak256(abi.encode(typehash, holder, ANYONE, 5, 0, block.timestamp));
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(77, digest);
        token.permit(holder, ANYONE, 5, block.timestamp, v, r, s);
        eq(token.allowance(holder, ANYONE), 5);
        eq(token.nonces(holder), 1);
        (bool done, ) = address(token).call(
            abi.encodeCall(token.permit, (holder, ANYONE, 5, block.timestamp, v, r, s))
        );
        check(!done);
    }

    function test_token__burned__supply_falls() public {
        vm.prank(CHALLENGER);
        token.burn(1 ether);
        eq(token.totalSupply(), SUPPLY - 1 ether);
    }
}
