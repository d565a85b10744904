// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDemands } from "../../contracts/interfaces/IDemands.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { Accounts } from "./Accounts.sol";
import { Coins } from "./Demanding.sol";
import { Trials } from "./Trials.sol";

/// @dev The handler's calls about content that is demanded: of accounts and lists, which can be shown, and of rows, which
/// nobody has.
abstract contract DemandTrials is Trials {
    Coins private constant coins = Coins(address(vm));
    uint256 internal constant OPEN_OF_MEMBER = 4;
    uint256 internal constant OPEN_OF_OTHERS = 16;

    struct Asked {
        uint64 task;
        uint64 round;
        IDemands.Place place;
        address demander;
        bool ofMember;
        uint256 bond;
        uint256 deadline;
        bool open;
    }

    Asked[] internal asked;

    function setUp() public virtual override {
        super.setUp();
        coins.fee(1 gwei);
        coins.deal(ACCUSER, 1e6 ether);
        for (uint256 i = 0; i < COUNT; ++i) coins.deal(node(i), 1e6 ether);
    }

    /// @dev Of one leaf, or of as many as one Supernode may at a time. The last account is an outsider's.
    function demandLeaf(uint256 seed, uint256 i) external on(seed) {
        if (odd(mix(seed, 1))) advanceBy(3, seed);
        uint64 round = pick(seed, isStanding);
        uint256 times = mix(seed, 2) % 4 == 0 ? OPEN_OF_MEMBER : 1;
        bytes32 before = stateOf(round);
        for (uint32 k = 0; k < times; ++k) demandOne(round, i % (COUNT + 2), placeAt(mix(seed, 3), k));
        holds(stateOf(round) == before);
        if (broken) return;
        Asked storage newest = asked[asked.length - 1];
        if (newest.ofMember && countOpen(newest) == OPEN_OF_MEMBER) reach(Path.DemandedAllThatAMemberMay);
    }

    function demandOne(uint64 round, uint256 i, IDemands.Place memory place) private {
        address who = i < COUNT ? node(i) : ACCUSER;
        bool ofMember = i < COUNT && book().eligible[round] & (1 << i) != 0;
        uint256 bond = disputes.demandBond(place.tree);
        vm.prank(who);
        try disputes.demand{ value: bond }(task, round, place) {} catch (bytes memory why) {
            uint256 most = ofMember ? OPEN_OF_MEMBER : OPEN_OF_OTHERS;
            bool tooMany = bytes4(why) == IDemands.TooManyDemands.selector;
            holds(!tooMany || countOpen(task, round, who, ofMember) >= most);
            require(broken, "refused");
            return;
        }
        uint256 deadline = disputes.demandOf(task, round, place).deadline;
        asked.push(Asked(task, round, place, who, ofMember, bond, deadline, true));
        reach(Path.Demanded);
    }

    function answerDemand(uint256 seed) external {
        Asked storage one = pickAsked(seed, canBeShown);
        task = one.task;
        uint64 round = one.round;
        bytes memory content = shown(one);
        bytes32 before = stateOf(round);
        uint256 paid = ANYONE.balance + one.bond;
        vm.prank(ANYONE);
        disputes.answer(task, round, one.place, book().posted[round].result, statement(round), content);
        one.open = false;
        holds(ANYONE.balance == paid && stateOf(round) == before);
        reach(Path.Answered);
    }

    function expireDemand(uint256 seed, uint256 late) external {
        Asked storage one = pickAsked(seed, odd(mix(seed, 1)) ? stands : stoodOnce);
        task = one.task;
        if (odd(late) && isStanding(one.round) && block.timestamp < one.deadline)
            skip(one.deadline - block.timestamp);
        expireOne(one);
    }

    /// @dev Ends a demand of the task: by a conviction where its round stands, else its bond goes back.
    function expireOne(Asked storage one) internal {
        uint64 round = one.round;
        bool convicts = isStanding(round);
        address to = convicts ? ANYONE : one.demander;
        uint256 paid = to.balance + one.bond;
        bytes32 before = stateOf(round);
        Sentence memory s = foresee(round, one.demander);
        vm.prank(ANYONE);
        disputes.expire(task, round, one.place);
        one.open = false;
        holds(to.balance == paid);
        reach(convicts ? Path.ExpiredUnanswered : Path.ExpiredWithItsRound);
        if (convicts) sentenced(s);
        else holds(stateOf(round) == before);
        holds(!convicts || block.timestamp >= one.deadline);
    }

    /// @dev A leaf among those that tests show, or a row.
    function placeAt(uint256 dice, uint32 k) private pure returns (IDemands.Place memory) {
        uint32 index = uint32((dice >> 8) % 4) + k;
        if (k == 0 && dice % 8 == 0) return IDemands.Place(IDemands.Tree.Medians, 0, 0);
        if (k == 0 && dice % 8 == 1) return IDemands.Place(IDemands.Tree.UsedShards, 0, 0);
        return IDemands.Place(dice % 8 < 5 ? IDemands.Tree.Accounts : IDemands.Tree.Rows, 0, index);
    }

    function shown(Asked storage one) private view returns (bytes memory) {
        if (one.place.tree >= IDemands.Tree.Medians) return "";
        uint256 index = one.place.index;
        bytes[] memory leaves = leavesOf(book().posted[one.round].amounts);
        (, bytes32[] memory siblings) = Accounts.open(leaves, index);
        return bytes.concat(index < COUNT ? leaves[index] : bytes(""), abi.encodePacked(siblings));
    }

    /// @dev Returns how many demands of its round are open by the same member, or by all others where it is none.
    function countOpen(Asked storage one) internal view returns (uint256) {
        return countOpen(one.task, one.round, one.demander, one.ofMember);
    }

    function countOpen(
        uint64 task_,
        uint64 round,
        address demander,
        bool ofMember
    ) private view returns (uint256 count) {
        for (uint256 i = 0; i < asked.length; ++i) {
            Asked storage other = asked[i];
            if (!other.open || other.task != task_ || other.round != round) continue;
            bool alike = ofMember ? other.demander == demander : !other.ofMember;
            if (alike) ++count;
        }
    }

    /// @dev Returns an open demand that the call is meant for, or any.
    function pickAsked(
        uint256 seed,
        function(Asked storage) view returns (bool) isMeant
    ) private view returns (Asked storage) {
        uint256 start = mix(seed, 98) % asked.length;
        for (uint256 k = 0; k < asked.length; ++k) {
            Asked storage one = asked[(start + k) % asked.length];
            if (one.open && isMeant(one)) return one;
        }
        return asked[start];
    }

    function canBeShown(Asked storage one) private view returns (bool) {
        bool isRow = one.place.tree == IDemands.Tree.Rows;
        return !isRow && block.timestamp < one.deadline && stands(one);
    }

    function stands(Asked storage one) private view returns (bool) {
        return !stoodOnce(one);
    }

    function stoodOnce(Asked storage one) private view returns (bool) {
        return coordinator.roundOf(one.task, one.round).phase >= IRounds.Phase.Finalized;
    }
}
