// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDemands } from "../../contracts/interfaces/IDemands.sol";
import { IDisputes } from "../../contracts/interfaces/IDisputes.sol";
import { IProver } from "../../contracts/interfaces/IProver.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Demanding } from "./Demanding.sol";

contract DemandsTest is Demanding {
    // Answers

    function test_answer__each_tree__shown_and_paid() public {
        uint64 round = postStated();
        for (uint8 tree = 0; tree < 17; ++tree) {
            IDemands.Place memory place = at(IDemands.Tree(tree), 0, 0);
            demandAs(ACCUSER, round, place);
            uint256 before = ANYONE.balance;
            uint256 bond = disputes.demandBond(place.tree);
            refusesAnswer(round, place, bytes.concat(shown(place), "x"));
            refusesAnswer(round, place, "");
            bytes memory content = shown(place);
            content[content.length - 1] ^= 0x01;
            refusesAnswer(round, place, content);
            vm.recordLogs();
            answer(round, place);
            bytes memory logged = vm.getRecordedLogs()[0].data;
            eq(keccak256(logged), keccak256(abi.encode(place, shown(place))));
            eq(ANYONE.balance, before + bond);
            check(!disputes.demandOf(task, round, place).open);
        }
        eq(address(disputes).balance, 0);
        eq(phase(round), IRounds.Phase.Posted);
    }

    function test_answer__place_without_a_leaf__its_absence_is_shown() public {
        uint64 round = postStated();
        for (uint8 tree = 0; tree < 12; ++tree) {
            IDemands.Place memory place = at(IDemands.Tree(tree), 0, 2);
            demandAs(ACCUSER, round, place);
            answer(round, place);
        }
    }

    function test_answer__row_or_input_that_is_none_or_has_no_products__shown_alone() public {
        uint64 round = postStated();
        for (uint8 tree = 12; tree < 15; ++tree) {
            for (uint32 outer = 1; outer < 3; ++outer) {
                IDemands.Place memory place = at(IDemands.Tree(tree), outer, 5);
                demandAs(ACCUSER, round, place);
                // an input whose body has no root is shown by nobody
                if (tree == 14 && outer == 1) refusesAnswer(round, place, shown(place));
                else answer(round, place);
            }
        }
    }

    function test_answer__absence_of_a_row_that_is_there__refused() public {
        uint64 round = postStated();
        IDemands.Place memory place = at(IDemands.Tree.RowGateTotals, 0, 0);
        demandAs(ACCUSER, round, place);
        bytes memory content = opened(IDemands.Tree.Rows, 2);
        refusesAnswer(round, place, bytes.concat(bytes1(0), content));
    }

    function test_answer__root_that_says_none__good_only_where_there_may_be_none() public {
        statement_.gateRoot = 0;
        statement_.gradientRoot = 0;
        statement_.gateTotals = 0;
        statement_.stepRoot = 0;
        statement_.stepTotals = 0;
        uint64 round = postStated();
        IDemands.Tree[5] memory trees = [
            IDemands.Tree.Gate,
            IDemands.Tree.Gradient,
            IDemands.Tree.GateTotals,
            IDemands.Tree.Step,
            IDemands.Tree.StepTotals
        ];
        for (uint256 i = 0; i < 5; ++i) {
            demandAs(ACCUSER, round, at(trees[i], 0, 0));
            refusesAnswer(round, at(trees[i], 0, 0), "");
        }
        // of a round without inputs and last step
        statement_.stepSquare = 0;
        round = open();
        close(round, rootOf(IDemands.Tree.Commits), uint32(NODES), 0);
        stated = result(round);
        stated.commitsRoot = rootOf(IDemands.Tree.Commits);
        stated.statement = keccak256(abi.encode(statement_));
        stated.inputs = 0;
        post(round, stated);
        for (uint256 i = 0; i < 5; ++i) {
            demandAs(ACCUSER, round, at(trees[i], 0, 0));
            vm.prank(ANYONE);
            disputes.answer(task, round, at(trees[i], 0, 0), stated, statement_, "");
        }
    }

    function test_answer__products_of_a_row_that_counts_without_a_root__refused() public {
        rows[0] = makeRow(0, 0, 1);
        statement_.rowsRoot = rootOf(IDemands.Tree.Rows);
        uint64 round = postStated();
        for (uint8 tree = 11; tree < 13; ++tree) {
            IDemands.Place memory place = at(IDemands.Tree(tree), 0, 0);
            demandAs(ACCUSER, round, place);
            refusesAnswer(round, place, bytes.concat(bytes1(uint8(1)), opened(IDemands.Tree.Rows, 0)));
        }
    }

    function test_answer__other_result_or_statement__refused() public {
        uint64 round = postStated();
        IDemands.Place memory place = demandRow(round, 0);
        bytes memory data = answerCall(round, place, shown(place));
        stated.rewardTotal += 1;
        refuses(
            ANYONE,
            address(disputes),
            answerCall(round, place, shown(place)),
            abi.encodeWithSelector(IDisputes.WrongResult.selector, task, round)
        );
        stated.rewardTotal -= 1;
        statement_.rows += 1;
        refuses(
            ANYONE,
            address(disputes),
            answerCall(round, place, shown(place)),
            abi.encodeWithSelector(IDisputes.WrongStatement.selector, task, round)
        );
        vm.prank(ANYONE);
        (bool done, ) = address(disputes).call(data);
        check(done);
    }

    function test_answer__at_the_deadline__too_late() public {
        uint64 round = postStated();
        IDemands.Place memory place = demandRow(round, 0);
        uint256 deadline = block.timestamp + ANSWER;
        eq(disputes.demandOf(task, round, place).deadline, deadline);
        skip(ANSWER);
        refuses(ANYONE, address(disputes), answerCall(round, place, shown(place)), tooLate(deadline));
    }

    function test_answer__twice_or_undemanded__refused() public {
        uint64 round = postStated();
        IDemands.Place memory place = demandRow(round, 0);
        answer(round, place);
        bytes memory expected = abi.encodeWithSelector(IDemands.NotDemanded.selector, place);
        refuses(ANYONE, address(disputes), answerCall(round, place, shown(place)), expected);
        refuses(ANYONE, address(disputes), expireCall(round, place), expected);
        refusesDemand(round, place, abi.encodeWithSelector(IDemands.AlreadyDemanded.selector, place));
    }

    // Demands

    function test_demand__too_small_a_bond__refused() public {
        uint64 round = postStated();
        eq(disputes.demandBond(IDemands.Tree.Rows), LEAF_BOND);
        eq(disputes.demandBond(IDemands.Tree.Medians), 10 * LEAF_BOND);
        bytes memory expected = abi.encodeWithSelector(IDemands.DemandBondTooSmall.selector, 0, LEAF_BOND);
        refuses(ACCUSER, address(disputes), demandCall(round, at(IDemands.Tree.Rows, 0, 0)), expected);
    }

    function test_demand__no_such_place__refused() public {
        uint64 round = postStated();
        IDemands.Place[6] memory places = [
            at(IDemands.Tree.Rows, 0, 1 << 20),
            at(IDemands.Tree.Rows, 1, 0),
            at(IDemands.Tree.Model, 0, 1 << 17),
            at(IDemands.Tree.StepTotals, 0, 1 << 12),
            at(IDemands.Tree.Update, 1 << 20, 0),
            at(IDemands.Tree.Medians, 0, 1)
        ];
        for (uint256 i = 0; i < 6; ++i) {
            refusesDemand(round, places[i], abi.encodeWithSelector(IDemands.NoSuchPlace.selector, places[i]));
        }
    }

    function test_demand__by_strangers__sixteen_at_a_time_and_no_member_is_kept_out() public {
        uint64 round = postStated();
        for (uint32 i = 0; i < 16; ++i) demandRow(round, i);
        bytes memory expected = abi.encodeWithSelector(IDemands.TooManyDemands.selector, 16);
        refusesDemand(round, at(IDemands.Tree.Rows, 0, 16), expected);
        for (uint32 i = 0; i < 4; ++i) demandAs(node(0), round, at(IDemands.Tree.Rows, 0, 20 + i));
        vm.prank(node(0));
        (bool done, bytes memory actual) = address(disputes).call{ value: LEAF_BOND }(
            demandCall(round, at(IDemands.Tree.Rows, 0, 30))
        );
        check(!done);
        eq(keccak256(actual), keccak256(abi.encodeWithSelector(IDemands.TooManyDemands.selector, 4)));
        eq(address(disputes).balance, 20 * LEAF_BOND);
        // each answer makes room
        answer(round, at(IDemands.Tree.Rows, 0, 0));
        demandRow(round, 16);
    }

    /// @dev Deadline, and as long again, are within the window: nothing is held up.
    function test_demand__late_in_the_window__refused() public {
        uint64 round = postStated();
        uint256 last = block.timestamp + CHALLENGE - 2 * ANSWER;
        skip(CHALLENGE - 2 * ANSWER);
        demandRow(round, 0);
        skip(1);
        refusesDemand(round, at(IDemands.Tree.Rows, 0, 1), tooLate(last));
        skip(2 * ANSWER - 1);
        coordinator.finalize(task, round, stated);
    }

    function test_demand__short_window__refused() public {
        ITasks.TaskRules memory r = rules();
        r.challengePeriod = 479;
        vm.prank(DAO);
        coordinator.changeRules(task, r);
        uint64 round = postStated();
        refusesDemand(
            round,
            at(IDemands.Tree.Rows, 0, 0),
            abi.encodeWithSelector(IDemands.WindowTooShort.selector, task, 479)
        );
    }

    function test_demand__long_window__six_hours_at_most() public {
        lengthenWindow();
        uint64 round = postStated();
        IDemands.Place memory place = demandRow(round, 0);
        eq(disputes.demandOf(task, round, place).deadline, block.timestamp + 6 hours);
    }

    function lengthenWindow() private {
        ITasks.TaskRules memory r = rules();
        r.challengePeriod = 60 hours;
        vm.prank(DAO);
        coordinator.changeRules(task, r);
    }

    function test_demand__not_standing__refused() public {
        uint64 round = open();
        refusesDemand(round, at(IDemands.Tree.Rows, 0, 0), wrongPhase(round, IRounds.Phase.Open));
        refusesDemand(round + 1, at(IDemands.Tree.Rows, 0, 0), wrongPhase(round + 1, IRounds.Phase.None));
    }

    // Expiry

    function test_expire__unanswered__round_is_void_and_the_demander_is_the_accuser() public {
        uint64 round = postStated();
        IDemands.Place memory place = demandRow(round, 1);
        uint256 deadline = block.timestamp + ANSWER;
        refuses(ANYONE, address(disputes), expireCall(round, place), tooEarly(deadline));
        skip(ANSWER);
        uint256 before = ANYONE.balance;
        vm.expectEmit();
        emit IDemands.Expired(task, round, ACCUSER, place, true);
        vm.expectEmit();
        emit IDisputes.Convicted(task, round, address(disputes), 1, ACCUSER, 500 ether, BOND);
        expire(round, place);
        eq(phase(round), IRounds.Phase.Void);
        eq(token.balanceOf(ACCUSER), BOND);
        eq(ANYONE.balance, before + LEAF_BOND);
        eq(address(disputes).balance, 0);
    }

    function test_expire__frozen__convicts_too_and_the_challenger_has_the_bond_back() public {
        uint64 round = postStated();
        challenge(round);
        skip(CHALLENGE);
        IDemands.Place memory place = demandRow(round, 0);
        skip(ANSWER);
        expire(round, place);
        eq(phase(round), IRounds.Phase.Void);
        eq(token.balanceOf(CHALLENGER), 1000 ether);
    }

    /// @dev What the DAO lets stand has a whole window again, in which the demand falls due.
    function test_expire__the_dao_let_it_stand_meanwhile__convicts() public {
        uint64 round = postStated();
        challenge(round);
        IDemands.Place memory place = demandRow(round, 0);
        resolve(round, true);
        skip(ANSWER);
        bytes memory data = abi.encodeCall(IRounds.finalize, (task, round, stated));
        refuses(ANYONE, data, tooEarly(block.timestamp + CHALLENGE - ANSWER));
        expire(round, place);
        eq(phase(round), IRounds.Phase.Void);
    }

    function test_expire__round_fell_otherwise__bond_goes_back_at_once() public {
        uint64 round = postStated();
        IDemands.Place memory place = demandRow(round, 0);
        vm.prank(superlink);
        coordinator.concede(task, round);
        refuses(
            ANYONE,
            address(disputes),
            answerCall(round, place, shown(place)),
            wrongPhase(round, IRounds.Phase.Void)
        );
        uint256 before = ACCUSER.balance;
        vm.expectEmit();
        emit IDemands.Expired(task, round, ACCUSER, place, false);
        expire(round, place);
        eq(ACCUSER.balance, before + LEAF_BOND);
        eq(registry.stakeOf(superlink), 1000 ether);
    }

    function test_expire__two_demands_of_a_result__convict_once() public {
        uint64 round = postStated();
        IDemands.Place memory first = demandRow(round, 0);
        IDemands.Place memory second = demandRow(round, 1);
        skip(ANSWER);
        expire(round, first);
        uint256 before = ACCUSER.balance;
        expire(round, second);
        eq(ACCUSER.balance, before + LEAF_BOND);
        eq(registry.stakeOf(superlink), 500 ether);
        eq(address(disputes).balance, 0);
    }

    /// @dev Who cannot take coins has lost them, and nobody else anything.
    function test_expire__demander_takes_no_coins__convicts_all_the_same() public {
        uint64 round = postStated();
        coins.deal(address(prover), 1 ether);
        IDemands.Place memory place = at(IDemands.Tree.Rows, 0, 0);
        demandAs(address(prover), round, place);
        skip(ANSWER);
        expire(round, place);
        eq(phase(round), IRounds.Phase.Void);
        eq(token.balanceOf(address(prover)), BOND);
    }

    /// @dev The provers of a round are frozen with it; a demand needs none.
    function test_expire__provers_voted_out__convicts_all_the_same() public {
        uint64 round = postStated();
        IDemands.Place memory place = demandRow(round, 0);
        vm.prank(DAO);
        disputes.setProver(address(prover), false);
        skip(ANSWER);
        expire(round, place);
        eq(phase(round), IRounds.Phase.Void);
    }

    function test_expire__superlink_has_withdrawn_all__void_all_the_same() public {
        lengthenWindow();
        uint64 round = postStated();
        withdrawAll();
        // the window is over before the stake is free: nothing is left to demand
        refusesDemand(round, at(IDemands.Tree.Rows, 0, 0), tooLate(block.timestamp - UNBONDING + 48 hours));
    }

    /// @dev A true proof and a demand meet: the first to be heard convicts, and no bond is lost.
    function test_convict__beside_a_demand__demander_has_the_bond_back() public {
        uint64 round = postStated();
        IDemands.Place memory place = at(IDemands.Tree.Rows, 0, 0);
        demandAs(ANYONE, round, place);
        announce(round, "proof");
        vm.prank(ACCUSER);
        disputes.convict(address(prover), 0, task, round, stated, statement_, "proof");
        uint256 before = ANYONE.balance;
        vm.prank(ACCUSER);
        disputes.expire(task, round, place);
        eq(ANYONE.balance, before + LEAF_BOND);
        eq(token.balanceOf(ACCUSER), BOND);
    }

    function testFuzz_answer__bytes_of_chance__refused(bytes calldata content, uint8 tree) public {
        uint64 round = postStated();
        IDemands.Place memory place = at(IDemands.Tree(tree % 17), 0, 0);
        demandAs(ACCUSER, round, place);
        if (keccak256(content) == keccak256(shown(place))) return;
        refusesAnswer(round, place, content);
    }
}
