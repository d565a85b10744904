// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";

import { IDisputes } from "../../contracts/interfaces/IDisputes.sol";
import { IProver } from "../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { IStatements } from "../../contracts/interfaces/IStatements.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Accusing } from "./Accusing.sol";

contract DisputesTest is Accusing {
    // Convict

    function test_convict__guilty__round_is_void_and_the_bond_is_divided() public {
        uint64 round = posted();
        uint256 supply = token.totalSupply();
        announce(round, "proof");
        vm.expectEmit();
        emit IDisputes.Convicted(task, round, address(prover), 0, ACCUSER, 500 ether, 5 ether);
        vm.expectEmit();
        emit IRounds.Voided(task, round);
        convict(round, "proof");
        eq(phase(round), IRounds.Phase.Void);
        eq(head(), 0);
        eq(coordinator.taskOf(task).inFlight, 0);
        // a tenth would be 50: the bond of a challenge is the most
        eq(token.balanceOf(ACCUSER), BOND);
        eq(distributor.fundedOf(task), 1125 ether);
        eq(token.balanceOf(address(distributor)), 1125 ether);
        eq(token.totalSupply(), supply - 370 ether);
        eq(registry.stakeOf(superlink), 500 ether);
        eq(token.balanceOf(address(disputes)), 0);
        eq(posted(), round + 1);
    }

    function test_convict__prover__gets_result_and_statement_whole() public {
        uint64 round = posted();
        IProver.Case memory accused = IProver.Case(task, round, result(round), statement(round));
        bytes memory proof = abi.encode(keccak256(abi.encode(accused)));
        announce(round, proof);
        convict(round, proof);
        eq(phase(round), IRounds.Phase.Void);
    }

    function test_convict__a_tenth_below_the_challengers_bond__is_paid() public {
        bond(30 ether);
        convicted();
        eq(token.balanceOf(ACCUSER), 3 ether);
        eq(distributor.fundedOf(task), 1007.5 ether);
        eq(registry.stakeOf(superlink), 970 ether);
    }

    function test_convict__bond_of_a_few_wei__nothing_is_lost_on_the_way() public {
        for (uint128 wei_ = 0; wei_ < 12; ++wei_) {
            bond(wei_);
            uint256 funded = distributor.fundedOf(task);
            uint256 stake = registry.stakeOf(superlink);
            uint256 balance = token.balanceOf(ACCUSER);
            convicted();
            eq(distributor.fundedOf(task), funded + wei_ / 4);
            eq(token.balanceOf(ACCUSER), balance + wei_ / 10);
            eq(registry.stakeOf(superlink), stake - wei_);
        }
    }

    function test_convict__not_guilty__reverts_as_the_prover_does() public {
        uint64 round = posted();
        bytes[5] memory expected = [
            bytes(""),
            abi.encodeWithSelector(IProver.NotGuilty.selector),
            abi.encodeWithSelector(IProver.BadProof.selector),
            "",
            abi.encodeWithSelector(IProver.BadShape.selector)
        ];
        for (uint8 claim = 1; claim < 5; ++claim) {
            announceDigest(digestOf(ACCUSER, address(prover), claim, round, "proof"));
            no(convictCall(address(prover), claim, round, "proof"), expected[claim]);
        }
        eq(phase(round), IRounds.Phase.Posted);
        eq(registry.stakeOf(superlink), 1000 ether);
    }

    function test_convict__prover_without_code__refused() public {
        vm.prank(DAO);
        disputes.setProver(address(0x9), true);
        uint64 round = posted();
        announceDigest(digestOf(ACCUSER, address(0x9), 0, round, "proof"));
        no(convictCall(address(0x9), 0, round, "proof"), "");
    }

    function test_convict__other_result_or_statement__refused() public {
        uint64 round = posted();
        announce(round, "proof");
        IRounds.Result memory r = result(round);
        r.rewardTotal += 1;
        bytes memory data = abi.encodeCall(
            IDisputes.convict,
            (address(prover), 0, task, round, r, statement(round), "proof")
        );
        no(data, abi.encodeWithSelector(IDisputes.WrongResult.selector, task, round));
        IStatements.Statement memory s = statement(round);
        s.rows += 1;
        data = abi.encodeCall(
            IDisputes.convict,
            (address(prover), 0, task, round, result(round), s, "proof")
        );
        no(data, abi.encodeWithSelector(IDisputes.WrongStatement.selector, task, round));
    }

    // Announce

    function test_convict__announced_in_the_same_block_or_not_at_all__refused() public {
        uint64 round = posted();
        bytes memory expected = notAnnounced(round, "proof");
        no(convictCall(round, "proof"), expected);
        vm.prank(ACCUSER);
        disputes.announce(digest(round, "proof"));
        no(convictCall(round, "proof"), expected);
        no(convictCall(round, "another"), notAnnounced(round, "another"));
        skip(1);
        convict(round, "proof");
    }

    /// @dev A proof that is seen in the pool of transactions is of no use to who saw it.
    function test_convict__proof_copied_from_the_pool__refused() public {
        uint64 round = posted();
        announce(round, "proof");
        bytes32 own = digestOf(ANYONE, address(prover), 0, round, "proof");
        bytes memory expected = abi.encodeWithSelector(IDisputes.NotAnnounced.selector, own);
        bytes memory data = convictCall(round, "proof");
        refuses(ANYONE, address(disputes), data, expected);
        // nor can the thief announce it in time
        vm.prank(ANYONE);
        disputes.announce(own);
        refuses(ANYONE, address(disputes), data, expected);
        convict(round, "proof");
        eq(token.balanceOf(ACCUSER), BOND);
    }

    function test_announce__again_by_another__counts_from_the_first_time() public {
        uint64 round = posted();
        bytes32 value = digest(round, "proof");
        eq(disputes.announcedIn(value), 0);
        uint256 first = block.number;
        vm.prank(ACCUSER);
        disputes.announce(value);
        skip(1);
        vm.prank(ANYONE);
        disputes.announce(value);
        eq(disputes.announcedIn(value), first);
        convict(round, "proof");
    }

    // Provers

    function test_prover__voted_in_after_the_opening__is_none_of_the_rounds() public {
        vm.prank(DAO);
        disputes.setProver(address(prover), false);
        skip(1);
        uint64 round = posted();
        skip(1);
        vm.expectEmit();
        emit IDisputes.ProverSet(address(prover), true);
        vm.prank(DAO);
        disputes.setProver(address(prover), true);
        announce(round, "proof");
        no(convictCall(round, "proof"), notProver(address(prover), round));
        check(!disputes.isProver(address(prover), coordinator.roundOf(task, round).openedAt));
        check(disputes.isProver(address(prover), block.timestamp));
        round = posted();
        announce(round, "proof");
        convict(round, "proof");
    }

    function test_prover__voted_out_during_the_round__stays_the_rounds() public {
        uint64 round = posted();
        skip(1);
        vm.prank(DAO);
        disputes.setProver(address(prover), false);
        uint64 next = posted();
        announce(next, "proof");
        no(convictCall(next, "proof"), notProver(address(prover), next));
        announce(round, "proof");
        convict(round, "proof");
    }

    function test_prover__out_and_in_again_during_the_round__stays_the_rounds() public {
        uint64 round = posted();
        for (uint256 i = 0; i < 2; ++i) {
            skip(1);
            vm.prank(DAO);
            disputes.setProver(address(prover), i == 1);
        }
        announce(round, "proof");
        convict(round, "proof");
    }

    function test_prover__never_voted_for__refused() public {
        uint64 round = posted();
        announceDigest(digestOf(ACCUSER, ANYONE, 0, round, "proof"));
        no(convictCall(ANYONE, 0, round, "proof"), notProver(ANYONE, round));
    }

    function test_prover__by_anyone_but_the_dao__refused() public {
        refuses(
            ANYONE,
            address(disputes),
            abi.encodeCall(IDisputes.setProver, (ANYONE, true)),
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ANYONE)
        );
    }

    // The Superlink's stake

    function test_convict__superlink_unbonds__its_unbonding_stake_is_slashed() public {
        uint64 round = posted();
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.unbond(superlink, 1000 ether);
        announce(round, "proof");
        convict(round, "proof");
        eq(registry.supernode(superlink).unbonding, 500 ether);
        eq(token.balanceOf(ACCUSER), BOND);
    }

    function test_convict__superlink_has_withdrawn_all__convicted_all_the_same() public {
        uint64 round = posted();
        withdrawAll();
        announce(round, "proof");
        vm.expectEmit();
        emit IDisputes.Convicted(task, round, address(prover), 0, ACCUSER, 0, 0);
        convict(round, "proof");
        eq(phase(round), IRounds.Phase.Void);
        eq(token.balanceOf(ACCUSER), 0);
        eq(distributor.fundedOf(task), 1000 ether);
    }

    function test_convict__less_stake_than_the_bond__all_of_it_is_slashed() public {
        uint64 first = posted();
        uint64 second = posted();
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.unbond(superlink, 300 ether);
        skip(UNBONDING);
        registry.withdraw(superlink);
        announce(second, "proof");
        convict(second, "proof");
        announce(first, "proof");
        vm.expectEmit();
        emit IDisputes.Convicted(task, first, address(prover), 0, ACCUSER, 200 ether, 5 ether);
        convict(first, "proof");
        eq(registry.stakeOf(superlink), 0);
    }

    function test_convict__operator_was_rotated__the_same_stake_is_slashed() public {
        uint64 round = posted();
        address owner_ = ownerOf(SUPERLINK_KEY);
        bytes memory consent = operatorSignature(owner_, vm.addr(0x77), 0x77);
        vm.prank(owner_);
        registry.rotate(superlink, vm.addr(0x77), consent);
        announce(round, "proof");
        convict(round, "proof");
        eq(registry.stakeOf(vm.addr(0x77)), 500 ether);
    }

    /// @dev The rules of the round decide, whoever is the Superlink meanwhile and whatever the bond.
    function test_convict__rules_changed_since__those_of_the_round_count() public {
        uint64 round = posted();
        registerKey(0x77, 700 ether);
        ITasks.TaskRules memory r = rules();
        r.superlinkBond = 600 ether;
        r.challengeBond = 70 ether;
        vm.prank(DAO);
        coordinator.changeRules(task, r);
        vm.prank(DAO);
        coordinator.setSuperlink(task, vm.addr(0x77));
        announce(round, "proof");
        convict(round, "proof");
        eq(registry.stakeOf(superlink), 500 ether);
        eq(registry.stakeOf(vm.addr(0x77)), 700 ether);
        eq(token.balanceOf(ACCUSER), BOND);
    }

    // Where the round stands

    function test_convict__frozen__challenger_has_the_bond_back() public {
        uint64 round = posted();
        challenge(round);
        announce(round, "proof");
        convict(round, "proof");
        eq(token.balanceOf(CHALLENGER), 1000 ether);
        eq(token.balanceOf(address(coordinator)), 0);
    }

    function test_convict__not_standing__refused() public {
        uint64 round = open();
        announce(round, "proof");
        refusedIn(round, IRounds.Phase.Open);
        refusedIn(round + 1, IRounds.Phase.None);
        close(round);
        refusedIn(round, IRounds.Phase.Closed);
        post(round);
        skip(CHALLENGE);
        finalize(round);
        refusedIn(round, IRounds.Phase.Finalized);
        round = posted();
        announce(round, "proof");
        convict(round, "proof");
        refusedIn(round, IRounds.Phase.Void);
        eq(registry.stakeOf(superlink), 500 ether);
    }

    /// @dev A window for challenges that is over is no matter, as long as nobody has finalized the round.
    function test_convict__past_the_window_and_not_final__convicted() public {
        uint64 round = posted();
        skip(CHALLENGE);
        announce(round, "proof");
        convict(round, "proof");
        refuses(ANYONE, finalizeCall(round), wrongPhase(round, IRounds.Phase.Void));
    }

    function test_convict__children__fall_as_by_any_void() public {
        posted();
        posted();
        open();
        announce(1, "proof");
        convict(1, "proof");
        eq(head(), 0);
        coordinator.abort(task, 3);
        skip(CHALLENGE);
        refuses(ANYONE, finalizeCall(2), abi.encodeWithSelector(IRounds.ParentNotFinal.selector, task, 1));
        eq(posted(), 4);
        coordinator.voidRound(task, 2);
        eq(head(), 4);
        skip(CHALLENGE);
        finalize(4);
    }
}
