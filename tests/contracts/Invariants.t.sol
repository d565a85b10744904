// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IDemands } from "../../contracts/interfaces/IDemands.sol";
import { IGradientVote } from "../../contracts/interfaces/IGradientVote.sol";
import { ISupernodeRegistry } from "../../contracts/interfaces/ISupernodeRegistry.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { WayOut } from "./WayOut.sol";

/// @dev The invariants at the head of each contract hold after any sequence of calls.
contract InvariantsTest is WayOut {
    uint256 internal constant OFTEN = 3; // in 64 runs of 80 calls; half of the paths are reached ten times as often

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(this);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[41] memory all = [
            this.wait.selector,
            this.stake.selector,
            this.registerAnother.selector,
            this.unbond.selector,
            this.slash.selector,
            this.delegate.selector,
            this.fund.selector,
            this.closeTask.selector,
            this.setSuperlink.selector,
            this.admit.selector,
            this.openRound.selector,
            this.closeCommits.selector,
            this.postResult.selector,
            this.changeRules.selector,
            this.pause.selector,
            this.withdraw.selector,
            this.expire.selector,
            this.abortRound.selector,
            this.claim.selector,
            this.challengeRound.selector,
            this.resolveRound.selector,
            this.voidRound.selector,
            this.finalizeRound.selector,
            this.commit.selector,
            this.joinTask.selector,
            this.leaveTask.selector,
            this.advance.selector,
            this.announceProof.selector,
            this.voteProver.selector,
            this.moveSuperlinkStake.selector,
            this.convictRound.selector,
            this.concedeRound.selector,
            this.demandLeaf.selector,
            this.answerDemand.selector,
            this.expireDemand.selector,
            this.accuseGradients.selector,
            this.voteOnGradients.selector,
            this.revealVotes.selector,
            this.judgeGradients.selector,
            this.fineJuror.selector,
            this.convictNode.selector
        ];
        // calls that bring rounds forward, or that rarely succeed, more often than the rest
        uint8[28] memory times = [
            4,
            8,
            7,
            10,
            3,
            6,
            12,
            18,
            17,
            14,
            10,
            8,
            10,
            42,
            1,
            1,
            2,
            12,
            5,
            8,
            10,
            8,
            15,
            2,
            6,
            16,
            16,
            6
        ];
        bytes4[] memory selectors = new bytes4[](290);
        uint256 next;
        for (uint256 i = 0; i < all.length; ++i) {
            uint256 copies = i < 13 ? 1 : times[i - 13];
            for (uint256 copy = 0; copy < copies; ++copy) selectors[next++] = all[i];
        }
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(this), selectors);
    }

    /// @dev As many calls as each invariant gets by default, drawn likewise, reach every path often enough that the
    /// invariants are about all of them.
    function test_handler__calls_of_a_default_run__reach_every_path() external {
        uint256[] memory times = new uint256[](uint256(type(Path).max) + 1);
        bytes4[] memory selectors = this.targetSelectors()[0].selectors;
        uint256 dice;
        for (uint256 run = 0; run < 64; ++run) {
            uint256 start = vm.snapshotState();
            for (uint256 i = 0; i < 80; ++i) {
                dice = uint256(keccak256(abi.encode(dice)));
                bytes4 selector = selectors[(dice >> 128) % selectors.length];
                bytes memory numbers = abi.encode(dice, dice >> 32, dice >> 64, dice >> 96);
                (bool done, ) = address(this).call(abi.encodePacked(selector, numbers));
                done; // or refused
            }
            for (uint256 path = 0; path < times.length; ++path) times[path] += reached[Path(path)];
            check(vm.revertToState(start));
        }
        string memory seldom = "";
        for (uint256 path = 0; path < times.length; ++path) {
            if (times[path] >= OFTEN) continue;
            seldom = string.concat(seldom, " path ", decimal(path), ": ", decimal(times[path]));
        }
        require(bytes(seldom).length == 0, string.concat("reached too seldom:", seldom));
    }

    /// @dev The registry's balance covers active + unbonding stake, and each delegate's votes are the stake delegated to it.
    function invariant_stake__covered_and_votes_conserved() external view {
        uint256 staked;
        for (uint256 i = 0; i < 9; ++i) {
            address delegatee = ownerOf(operatorKey(i));
            uint256 votes;
            for (uint256 k = 0; k < 9; ++k) {
                ISupernodeRegistry.Supernode memory n = registry.supernode(vm.addr(operatorKey(k)));
                if (i == 0) staked += uint256(n.active) + n.unbonding;
                if (registry.delegates(n.owner) == delegatee) votes += uint256(n.active) + n.unbonding;
            }
            require(registry.getVotes(delegatee) == votes, "votes are not those of delegated stake");
        }
        require(token.balanceOf(address(registry)) == staked, "stake is not covered");
    }

    /// @dev The key of any operator: the Supernodes of all owners, and the Superlink.
    function operatorKey(uint256 i) private pure returns (uint256) {
        return i < 8 ? key(i) : SUPERLINK_KEY;
    }

    /// @dev Per task, claimed <= promised <= funded and the rest covers every round in flight; the balance covers all.
    function invariant_escrow__covers_liabilities() external view {
        require(!broken, "a claim, a closing, a commit, a case or a conviction did something else");
        uint256 owed;
        for (uint256 t = 0; t < 2; ++t) {
            uint64 task = tasks[t];
            uint256 promised = distributor.totalOf(task);
            require(books[task].claimed <= promised, "more claimed than promised");
            require(promised <= distributor.fundedOf(task), "more promised than funded");
            require(distributor.fundedOf(task) == books[task].funded, "escrow differs from what was paid in");
            require(distributor.availableOf(task) >= reserved(task), "budgets in flight are not covered");
            owed += distributor.fundedOf(task) - books[task].claimed;
        }
        require(token.balanceOf(address(distributor)) == owed, "escrow is not covered");
    }

    /// @dev A round keeps the rules that it opened with, whatever is decided since; a Superlink owes the bonds of the next.
    function invariant_rules__of_a_round__never_change() external view {
        uint256 bonds;
        for (uint256 t = 0; t < 2; ++t) {
            uint64 task = tasks[t];
            require(
                same(coordinator.rulesOf(task), books[task].next),
                "the next rules are not those decided"
            );
            if (!coordinator.taskOf(task).closed) bonds += books[task].next.superlinkBond;
            for (uint64 round = 1; round <= coordinator.taskOf(task).lastRound; ++round) {
                require(
                    same(coordinator.rulesOfRound(task, round), books[task].rules[round]),
                    "the rules of a round changed"
                );
            }
        }
        require(
            coordinator.bondsOf(superlink) == bonds,
            "the Superlink's bonds are not those of its open tasks"
        );
    }

    /// @dev A round is finalized at most once and after its parent; those in flight are counted; bonds are covered.
    function invariant_rounds__final_once_counted_and_bonds_covered() external view {
        uint256 bonds;
        for (uint256 t = 0; t < 2; ++t) {
            uint64 task = tasks[t];
            ITasks.Task memory state = coordinator.taskOf(task);
            uint256 inFlight;
            for (uint64 round = 1; round <= state.lastRound; ++round) {
                IRounds.Round memory r = coordinator.roundOf(task, round);
                bool inProgress = r.phase == IRounds.Phase.Open || r.phase == IRounds.Phase.Closed;
                require(!inProgress || round == state.lastRound, "two rounds in progress");
                if (inProgress || r.phase == IRounds.Phase.Posted || r.phase == IRounds.Phase.Frozen)
                    ++inFlight;
                if (r.phase == IRounds.Phase.Frozen) bonds += books[task].rules[round].challengeBond;
                uint256 times = books[task].finalizations[round];
                require(times == (r.phase == IRounds.Phase.Finalized ? 1 : 0), "not finalized exactly once");
                if (times == 1) require(final_(task, r.parent), "finalized before its parent");
                require(r.parent < round, "parent is not earlier");
            }
            require(state.inFlight == inFlight, "rounds in flight are not counted");
        }
        require(token.balanceOf(address(coordinator)) == bonds, "bonds are not covered");
        require(token.balanceOf(address(disputes)) == 0, "a bond is stuck");
    }

    /// @dev The bonds of open demands are there, and nothing else; nobody has more open than he may.
    function invariant_demands__bonds_covered_and_bounded() external view {
        uint256 bonds;
        for (uint256 i = 0; i < asked.length; ++i) {
            Asked storage one = asked[i];
            IDemands.Demand memory d = disputes.demandOf(one.task, one.round, one.place);
            require(d.open == one.open && d.demander == one.demander, "a demand changed its state");
            require(d.bond == (one.open ? one.bond : 0), "a demand has another bond");
            bonds += d.bond;
            uint256 most = one.ofMember ? OPEN_OF_MEMBER : OPEN_OF_OTHERS;
            require(countOpen(one) <= most, "too many demands are open");
        }
        require(address(disputes).balance == bonds, "the bonds of demands are not those of the open ones");
    }

    /// @dev An accuser's bonds are those of its open cases, the jury holds nothing, and only who owes a fine paid one.
    function invariant_jury__bonds_of_open_cases_and_fines_of_the_minority() external view {
        uint256[COUNT] memory bonds;
        for (uint256 c = 0; c < charges.length; ++c) {
            Charge storage one = charges[c];
            IGradientVote.Verdict verdict_ = verdictOf(one);
            for (uint256 i = 0; i < COUNT; ++i) {
                if (verdict_ == IGradientVote.Verdict.None && one.accuser == node(i)) bonds[i] += one.bond;
                if (!jury.ballotOf(one.task, one.round, node(i)).fined) continue;
                require(verdict_ != IGradientVote.Verdict.None, "fined before the judgement");
                require(verdict_ != IGradientVote.Verdict.Lapsed, "fined for a case that lapsed");
                if (one.heard & (1 << i) == 0) continue;
                bool wrong = one.wrong & (1 << i) != 0;
                IGradientVote.Verdict lost =
                    wrong ? IGradientVote.Verdict.Right : IGradientVote.Verdict.Wrong;
                require(verdict_ == lost, "fined for a vote with the majority");
            }
        }
        for (uint256 i = 0; i < COUNT; ++i)
            require(jury.bondsOf(node(i)) == bonds[i], "bonds are not those of open cases");
        require(token.balanceOf(address(jury)) == 0, "the jury holds tokens");
    }

    /// @dev From the head down to the last final round, every result stands.
    function invariant_head__standing_chain() external view {
        for (uint256 t = 0; t < 2; ++t) {
            uint64 task = tasks[t];
            uint64 round = coordinator.taskOf(task).head;
            while (!final_(task, round)) {
                IRounds.Round memory r = coordinator.roundOf(task, round);
                require(
                    r.phase == IRounds.Phase.Posted || r.phase == IRounds.Phase.Frozen,
                    "the head does not stand"
                );
                round = r.parent;
            }
        }
    }

    /// @dev A forced commit is never dropped: whatever result is posted states all of them.
    function invariant_forced_commits__never_dropped() external view {
        for (uint256 t = 0; t < 2; ++t) {
            uint64 task = tasks[t];
            for (uint64 round = 1; round <= coordinator.taskOf(task).lastRound; ++round) {
                bytes32 hash = books[task].forcedHash[round];
                require(coordinator.forcedHashOf(task, round) == hash, "forced commits are not chained");
                uint256 count = bits(books[task].forced[round]);
                require(coordinator.forcedCountOf(task, round) == count, "forced commits are not counted");
                if (coordinator.roundOf(task, round).resultHash == 0) continue;
                require(books[task].posted[round].result.forcedHash == hash, "a forced commit was dropped");
            }
        }
    }

    /// @dev An open round waits for exactly those who may commit to it, whoever has joined or left since it opened.
    function invariant_eligible__exactly_those_who_may_commit() external {
        for (uint256 t = 0; t < 2; ++t) {
            task = tasks[t];
            eq(coordinator.taskOf(task).active, bits(book().members));
            for (uint256 i = 0; i < COUNT; ++i) check(coordinator.isJoined(task, node(i)) == isInside(i));
            if (phase(last()) != IRounds.Phase.Open) continue;
            uint256 time = block.timestamp;
            vm.warp(coordinator.roundOf(task, last()).openedAt);
            uint256 may = book().forced[last()];
            for (uint256 i = 0; i < 2 * COUNT; ++i) {
                (bool done, ) = address(coordinator).call(commitCall(last(), i));
                if (done) may |= 1 << i;
            }
            vm.warp(time);
            eq(coordinator.roundOf(task, last()).eligible, bits(may));
            eq(may, book().eligible[last()]);
        }
    }

    /// @dev Nobody's goodwill is needed: time alone ends every round, and all money leaves to whom it belongs.
    function invariant_exit__always_possible() external {
        unwind();
    }

    /// @dev Budgets of the rounds in flight, each by its own rules.
    function reserved(uint64 task) internal view returns (uint256 sum) {
        for (uint64 round = 1; round <= coordinator.taskOf(task).lastRound; ++round) {
            if (coordinator.roundOf(task, round).phase >= IRounds.Phase.Finalized) continue;
            sum += books[task].rules[round].roundBudget;
        }
    }

    function same(ITasks.TaskRules memory a, ITasks.TaskRules memory b) internal pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }

    function final_(uint64 task, uint64 round) internal view returns (bool) {
        return round == 0 || coordinator.roundOf(task, round).phase == IRounds.Phase.Finalized;
    }
}
