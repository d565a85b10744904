// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Accounts } from "./Accounts.sol";
import { Stakers } from "./Stakers.sol";

/// @dev Any participant makes any call, in any order, at any time, right or wrong; the handler keeps an account of its own
/// beside the contracts. A call that the contracts refuse leaves no trace in either. Most calls aim at a round and a
/// Supernode that they can succeed for, and some wait until it is time: sequences of several steps would otherwise
/// hardly ever complete.
abstract contract Handler is Stakers {
    modifier on(uint256 seed) {
        task = tasks[seed & 1];
        _;
    }

    // Tasks

    function fund(uint256 seed, uint256 amount) external on(seed) {
        amount %= 12 ether;
        vm.prank(DAO);
        distributor.fund(task, amount);
        book().funded += amount;
        reach(Path.Funded);
    }

    /// @dev Closes a task: seldom, for nothing follows; at times once all rounds in flight have ended.
    function closeTask(uint256 seed) external on(seed) {
        uint256 dice = mix(seed, 0) % 16;
        if (dice > 11 || last() < 2) return;
        if (dice != 0) endAll();
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
        book().funded = distributor.totalOf(task);
        reach(Path.TaskClosed);
    }

    function setSuperlink(uint256 seed) external on(seed) {
        vm.prank(DAO);
        coordinator.setSuperlink(task, superlink);
        reach(Path.SuperlinkSet);
    }

    /// @dev Changes all rules that may change, sometimes against the rule book.
    function changeRules(uint256 seed) external on(seed) {
        ITasks.TaskRules memory r = book().next;
        r.commitPeriod = vary(seed, 1, COMMIT);
        r.revealPeriod = vary(seed, 2, REVEAL);
        r.resultPeriod = vary(seed, 3, RESULT);
        r.challengePeriod = vary(seed, 5, CHALLENGE);
        r.resolvePeriod = vary(seed, 6, RESOLVE);
        r.quorum = uint32(1 + (mix(seed, 7) % 2));
        r.minStake = uint128(MINIMUM - 5 ether + (mix(seed, 8) % STAKE));
        r.maxStake = uint128(MINIMUM + (mix(seed, 9) % (9 * STAKE)));
        r.roundBudget = uint128(mix(seed, 10) % (2 * BUDGET));
        r.superlinkBond = uint128(mix(seed, 11) % 1050 ether);
        r.challengeBond = mix(seed, 12) % 16 == 0 ? 0 : uint128(mix(seed, 12) % (2 * BOND));
        vm.prank(DAO);
        coordinator.changeRules(task, r);
        book().next = r;
        reach(Path.RulesChanged);
    }

    function admit(uint256 i, uint256 admitted) external {
        vm.prank(DAO);
        coordinator.admit(tasks[1], owner(i % COUNT), odd(admitted));
        if (!odd(admitted)) reach(Path.Expelled);
    }

    function joinTask(uint256 seed, uint256 i) external on(seed) {
        joinOne(first(i, odd(mix(seed, 1)) ? isOnItsWayOut : isOutside));
    }

    function joinOne(uint256 i) private {
        join(i);
        book().members |= 1 << i;
        reach(Path.Joined);
        if (phase(last()) != IRounds.Phase.Open) return;
        reach(book().eligible[last()] & (1 << i) == 0 ? Path.JoinedWhileOpen : Path.CameBackWhileOpen);
    }

    function leaveTask(uint256 seed, uint256 i) external on(seed >> 2) {
        if (seed % 4 > 1) return;
        i = first(i, isInside);
        uint256 way = mix(seed, 1) % 3;
        vm.prank(
            way == 0
                ? owner(i)
                : way == 1
                    ? node(i)
                    : address(disputes)
        );
        if (way == 2) coordinator.dismiss(task, node(i));
        else coordinator.leave(task, node(i));
        gone(i);
        reach(way == 2 ? Path.Dismissed : Path.Left);
        if (phase(last()) != IRounds.Phase.Open) return;
        // it still takes part, and may come back
        uint256 dice = mix(seed, 2) % 4;
        if (dice < 2 && isOnItsWayOut(i)) commitTo(last(), i);
        if (dice == 1 || dice == 2) joinOne(i);
    }

    function expire(uint256 seed, uint256 i) external on(seed) {
        i = first(i, isPoor);
        coordinator.expire(task, node(i));
        gone(i);
        reach(Path.Expired);
    }

    function gone(uint256 i) private {
        book().members &= ~(1 << i);
        if (phase(last()) == IRounds.Phase.Open) reach(Path.LeftWhileOpen);
    }

    // The round

    /// @dev Takes the next step of the task's round in good order, so that many rounds come to an end.
    function advance(uint256 seed, uint256 pay, uint256 fault) public on(seed) {
        IRounds.Phase at = phase(last());
        if (isInProgress(last()) && isOrphan(last()) && odd(fault)) abortRound(seed, 0, 0);
        else if (isVoidWithParent(last()) && odd(fault)) voidRound(seed, 0);
        else if (at == IRounds.Phase.Open) closeCommits(seed, mix(pay, fault), fault >> 64);
        else if (at == IRounds.Phase.Closed) postResult(seed, pay, fault, 0);
        else if (!isFrozen(uint64(head()))) openRound(seed);
        else if (pay % 4 == 0) resolveRound(seed, fault);
    }

    function advanceBy(uint256 steps, uint256 seed) internal {
        for (uint256 step = 0; step < steps; ++step) {
            try this.advance(seed, mix(seed, step), 4) {} catch {}
        }
    }

    function openRound(uint256 seed) public on(seed) {
        if (mix(seed, 5) % 4 != 0 && !registry.paused()) coverBonds();
        if (mix(seed, 6) % 4 != 0 && !wasInTheSet(block.timestamp)) vote(true);
        if (mix(seed, 7) % 8 == 0) tryChangeRules(seed);
        uint64 round = open();
        holds(registry.stakeOf(superlink) >= coordinator.bondsOf(superlink));
        book().rules[round] = book().next;
        book().eligible[round] = book().members;
        reach(Path.Opened);
        if (besideOthers(round)) reach(Path.OpenedBesideOtherRules);
    }

    /// @dev Mostly all who may commit have committed or passed, or some of them have; sometimes it does not add up.
    function closeCommits(uint256 seed, uint256 nodes, uint256 late) public on(seed) {
        uint64 round = last();
        Book storage b = book();
        if (odd(late) && phase(round) == IRounds.Phase.Open) skip(b.rules[round].commitPeriod);
        uint256 there = nodes % 8 == 0 ? 15 : b.eligible[round] & ~b.forced[round];
        uint256 some = nodes >> 3;
        uint256 commits = there & (nodes % 8 < 5 ? some : 15);
        uint256 passes = there & (nodes % 8 < 3 ? some >> 4 : 15);
        if (nodes % 8 != 0) passes &= ~commits;
        bytes32 root = commitsRoot(round, commits);
        close(round, root, uint32(bits(commits)), uint32(bits(passes)));
        b.inTree[round] = commits;
        closed(round, bits(commits), bits(passes));
    }

    function closed(uint64 round, uint256 commits, uint256 passes) private {
        Book storage b = book();
        uint256 forced = bits(b.forced[round]);
        uint256 eligible = bits(b.eligible[round]);
        bool early =
            block.timestamp < coordinator.roundOf(task, round).openedAt + b.rules[round].commitPeriod;
        holds(commits + forced >= b.rules[round].quorum && commits + forced + passes <= eligible);
        holds(!early || commits + forced + passes == eligible);
        reach(Path.Closed);
        if (passes != 0) reach(Path.ClosedWithPasses);
        if (early) reach(passes == 0 ? Path.ClosedEarly : Path.ClosedEarlyWithPasses);
        if (b.eligible[round] & ~b.members != 0) reach(Path.ClosedWithoutOneWhoLeft);
    }

    function commit(uint256 seed, uint256 i) external on(seed) {
        uint64 round = mix(seed, 1) % 8 == 0 ? pick(seed, isStanding) : last();
        commitTo(round, odd(mix(seed, 2)) ? first(i, isOnItsWayOut) : uncommitted(round, i));
    }

    function commitTo(uint64 round, uint256 i) private {
        force(round, i);
        Book storage b = book();
        holds(phase(round) == IRounds.Phase.Open && b.eligible[round] & (1 << i) != 0);
        b.forced[round] |= 1 << i;
        b.forcedHash[round] = keccak256(abi.encode(b.forcedHash[round], node(i), commitment(i, round)));
        reach(isOutside(i) ? Path.ForcedHavingLeft : Path.Forced);
    }

    /// @dev Mostly a result that pays its budget or less; sometimes one that does not add up.
    function postResult(uint256 seed, uint256 pay, uint256 fault, uint256 late) public on(seed) {
        uint64 round = last();
        if (odd(late) && phase(round) == IRounds.Phase.Closed) skip(book().rules[round].revealPeriod);
        Book storage b = book();
        IRounds.Round memory r = coordinator.roundOf(task, round);
        uint256[4] memory amounts = b.posted[uint64(r.parent)].amounts;
        uint256 total = b.posted[uint64(r.parent)].result.rewardTotal;
        uint256 budget = b.rules[round].roundBudget;
        uint256 paid = pay % (budget + 1);
        amounts[(pay >> 128) % COUNT] += paid;
        total += paid;
        fault %= 8;
        if (fault == 1 && total != paid) total = total - paid - 1;
        else if (fault < 2) total += budget + 1;
        if (fault == 2) amounts[0] += 100 ether;
        uint32 all = r.commits + uint32(coordinator.forcedCountOf(task, round));
        IRounds.Result memory posted_ = result(round);
        posted_.commitsRoot = commitsRoot(round, b.inTree[round]);
        posted_.accountsRoot = Accounts.rootOf(leavesOf(amounts));
        posted_.rewardTotal = uint128(total);
        posted_.forcedHash = fault == 3 ? bytes32(0) : b.forcedHash[round];
        posted_.revealed = odd(late) ? all / 2 : all;
        posted_.inputs = posted_.revealed;
        post(round, posted_);
        b.posted[round].result = posted_;
        b.posted[round].amounts = amounts;
        b.since[round] = block.timestamp;
        reach(Path.Posted);
    }

    function challengeRound(uint256 seed) external on(seed) {
        uint64 round = pick(seed, odd(mix(seed, 1)) ? isBuiltOn : isPosted);
        challenge(round);
        holds(block.timestamp < book().since[round] + book().rules[round].challengePeriod);
        book().since[round] = block.timestamp;
        reach(Path.Challenged);
    }

    /// @dev The bond goes to the DAO or back, and a result that is let stand has a whole window again.
    function resolveRound(uint256 seed, uint256 valid) public on(seed) {
        if (mix(seed, 1) % 4 == 0) tryChallenge(seed);
        uint64 round = pick(seed, isFrozen);
        ITasks.TaskRules memory r = book().rules[round];
        address to = odd(valid) ? DAO : CHALLENGER;
        uint256 paid = token.balanceOf(to) + r.challengeBond;
        resolve(round, odd(valid));
        holds(block.timestamp < book().since[round] + r.resolvePeriod && token.balanceOf(to) == paid);
        if (odd(valid)) book().since[round] = block.timestamp;
        reach(odd(valid) ? Path.LetStand : Path.Overruled);
    }

    /// @dev Mostly as soon as its window is over, whatever the next round's is; what is due is not refused.
    function finalizeRound(uint256 seed, uint256 late) external on(seed) {
        if (mix(seed, 1) % 4 == 0) advanceBy(4, seed);
        uint64 round = pick(seed, isRipe);
        if (mix(seed, 2) % 4 == 0) tryChangeRules(seed);
        uint256 end = book().since[round] + book().rules[round].challengePeriod;
        if (late % 4 != 0 && isRipe(round)) skipTo(end, late >> 2);
        bool isDue = isRipe(round) && block.timestamp >= end;
        try this.finalizeAt(task, round) {} catch {
            holds(!isDue);
            require(isDue, "refused");
        }
    }

    function finalizeAt(uint64 task_, uint64 round) external {
        require(msg.sender == address(this), "a part of a call");
        task = task_;
        finalizeOne(round);
    }

    function tryChangeRules(uint256 seed) private {
        try this.changeRules(seed) {} catch {}
    }

    function abortRound(uint256 seed, uint256 late, uint256 bySuperlink) public on(seed) {
        uint64 round = pick(seed, isInProgress);
        ITasks.TaskRules memory r = book().rules[round];
        if (odd(late) && isInProgress(round)) skip(uint256(r.commitPeriod) + r.revealPeriod + r.resultPeriod);
        IRounds.Phase at = phase(round);
        bool withParent = isOnVoid(round);
        uint256 from = openUntil(round, at, odd(bySuperlink));
        if (odd(bySuperlink)) vm.prank(superlink);
        coordinator.abort(task, round);
        holds(withParent || block.timestamp >= from);
        if (withParent) reach(Path.AbortedWithParent);
        else reach(at == IRounds.Phase.Open ? Path.AbortedOpen : Path.AbortedClosed);
    }

    function tryChallenge(uint256 seed) internal {
        try this.challengeRound(seed) {} catch {}
    }

    /// @dev Returns from when on a round in progress may be aborted though its parent stands.
    function openUntil(uint64 round, IRounds.Phase at, bool bySuperlink) private view returns (uint256) {
        ITasks.TaskRules storage r = book().rules[round];
        IRounds.Round memory state = coordinator.roundOf(task, round);
        if (at == IRounds.Phase.Closed) return state.closedAt + r.revealPeriod + r.resultPeriod + 1;
        return state.openedAt + r.commitPeriod + (bySuperlink ? 0 : r.resultPeriod);
    }

    /// @dev Now and then of a result that is challenged only now.
    function voidRound(uint256 seed, uint256 late) public on(seed) {
        if (mix(seed, 1) % 4 == 0) tryChallenge(seed);
        uint64 round = pick(seed, isVoidWithParent);
        bool withParent = isVoidWithParent(round);
        if (!withParent) round = pick(seed, isFrozen);
        uint256 end = book().since[round] + book().rules[round].resolvePeriod;
        if (odd(late) && !withParent && isFrozen(round)) skipTo(end, late >> 1);
        uint256 back = token.balanceOf(CHALLENGER);
        if (isFrozen(round)) back += book().rules[round].challengeBond;
        coordinator.voidRound(task, round);
        holds(token.balanceOf(CHALLENGER) == back);
        holds(withParent || block.timestamp >= end);
        reach(withParent ? Path.VoidedWithParent : Path.VoidedUndecided);
    }

    /// @dev A claim by the newest final round's root or, where one still owes more than was claimed, by an older one's.
    function claim(uint256 seed, uint256 i) external on(seed) {
        if (mix(seed, 4) % 4 == 1) {
            advanceBy(6, seed);
            finalizeAll();
        }
        uint64 newest = book().active;
        for (uint256 k = 0; k < COUNT && mix(seed, 3) % 4 != 0; ++k) {
            uint256 j = ((i % COUNT) + k) % COUNT;
            uint64 older = coordinator.roundOf(task, newest).parent;
            while (older != 0 && odd(mix(seed, older))) older = coordinator.roundOf(task, older).parent;
            if (book().posted[older].amounts[j] <= distributor.claimedOf(task, owner(j))) continue;
            claimOne(older, j);
            return reach(Path.ClaimedByAnOlderRoot);
        }
        claimOne(newest, first(i, isOwed));
        reach(Path.Claimed);
    }

    /// @dev Makes the results final whose parents are, one after another: each with a root of its own.
    function finalizeAll() internal {
        for (uint64 round = book().active + 1; round <= last(); ++round) {
            if (!isRipe(round)) continue;
            ITasks.TaskRules storage r = book().rules[round];
            skip(r.challengePeriod);
            finalizeOne(round);
        }
    }

    // Parts of the above

    /// @dev Every round of the task ends once the periods of the slowest have passed.
    function endAll() internal {
        uint256 time;
        for (uint64 round = 1; round <= last(); ++round) {
            ITasks.TaskRules storage r = book().rules[round];
            uint256 untilPosted = uint256(r.commitPeriod) + r.revealPeriod + r.resultPeriod;
            time = Math.max(time, untilPosted + r.challengePeriod + r.resolvePeriod);
        }
        skip(time);
        for (uint64 round = 1; round <= last(); ++round) end(round);
    }

    function end(uint64 round) private {
        IRounds.Phase at = phase(round);
        if (at == IRounds.Phase.Open || at == IRounds.Phase.Closed) coordinator.abort(task, round);
        if (at == IRounds.Phase.Frozen) coordinator.voidRound(task, round);
        if (at != IRounds.Phase.Posted) return;
        IRounds.Phase parent = phase(coordinator.roundOf(task, round).parent);
        if (parent == IRounds.Phase.Void) coordinator.voidRound(task, round);
        else finalizeOne(round);
    }

    function finalizeOne(uint64 round) private {
        Book storage b = book();
        uint256 most = distributor.totalOf(task) + b.rules[round].roundBudget;
        coordinator.finalize(task, round, b.posted[round].result);
        holds(distributor.totalOf(task) <= most);
        holds(block.timestamp >= b.since[round] + b.rules[round].challengePeriod);
        if (phase(round) != IRounds.Phase.Finalized) return reach(Path.VoidedForItsSum);
        reach(Path.Finalized);
        ++b.finalizations[round];
        b.active = round;
    }

    /// @dev A claim by a final root is paid where it asks for more than was, and for no more than was promised.
    function claimOne(uint64 round, uint256 i) internal {
        Book storage b = book();
        uint256[4] memory amounts = b.posted[round].amounts;
        uint256 before = token.balanceOf(owner(i));
        uint256 due = amounts[i] - Math.min(amounts[i], distributor.claimedOf(task, owner(i)));
        bool isDue = round != 0 && due != 0 && b.claimed + due <= distributor.totalOf(task);
        bytes memory data = Accounts.claimCall(task, leavesOf(amounts), i);
        (bool done, bytes memory why) = address(distributor).call(data);
        holds(done == isDue);
        if (isDue && !done) return;
        require(done, string(why));
        b.claimed += token.balanceOf(owner(i)) - before;
        holds(distributor.claimedOf(task, owner(i)) == amounts[i]);
    }
}
