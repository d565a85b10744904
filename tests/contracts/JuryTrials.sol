// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IGradientVote } from "../../contracts/interfaces/IGradientVote.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { DemandTrials } from "./DemandTrials.sol";
import { Voting } from "./Voting.sol";

/// @dev The handler's calls about gradients: accusations, jurors' votes, judgements and fines.
abstract contract JuryTrials is DemandTrials, Voting {
    struct Charge {
        uint64 task;
        uint64 round;
        address accuser;
        uint256 bond;
        uint256 voters; // bit of each node that committed to a vote
        uint256 wrong; // bit of each whose vote says so
        uint256 heard; // bit of each that revealed it
    }

    Charge[] internal charges;

    function setUp() public virtual override(DemandTrials, Voting) {
        super.setUp();
    }

    /// @dev Mostly the jurors vote at once, and often the case goes on to its end.
    function accuseGradients(uint256 seed, uint256 i) external on(seed) {
        if (odd(mix(seed, 1))) advanceBy(3, seed);
        uint64 round = pick(seed, hasJury);
        uint256 bonds = jury.bondsOf(node(i % COUNT));
        bytes32 before = stateOf(round);
        accuse(round, i % COUNT);
        holds(stateOf(round) == before);
        holds(registry.stakeOf(node(i % COUNT)) >= jury.bondsOf(node(i % COUNT)));
        uint256 bond = jury.bondsOf(node(i % COUNT)) - bonds;
        charges.push(Charge(task, round, node(i % COUNT), bond, 0, 0, 0));
        reach(Path.GradientsAccused);
        Charge storage c = charges[charges.length - 1];
        if (mix(seed, 3) % 4 != 0) commitVotes(c, mix(seed, 4));
        if (odd(mix(seed, 3) >> 2)) revealOf(c, mix(seed, 5));
        if (mix(seed, 6) % 4 == 0) finalizeAll();
        if (odd(mix(seed, 3) >> 3) && isHeard(c)) judgeOne(c);
    }

    function voteOnGradients(uint256 seed) external {
        commitVotes(pickCharge(seed, isOpen), mix(seed, 1));
    }

    /// @dev Mostly all nodes commit to a vote, and now and then they agree.
    function commitVotes(Charge storage c, uint256 dice) private {
        (task, dice) = (c.task, dice >> 1);
        bytes32 before = stateOf(c.round);
        for (uint256 i = 0; i < COUNT; ++i) {
            bool wrong = (dice >> 8) % 4 != 0 ? odd(dice >> i) : odd(dice);
            if (dice % 8 == 2 && odd(dice >> (i + 16))) continue;
            (bytes32 result, bytes32 vote_) = (resultHashOf(c.round), hashVote(c.round, node(i), wrong));
            vm.prank(node(i));
            try jury.commitVote(task, c.round, result, vote_) {
                c.voters |= 1 << i;
                if (wrong) c.wrong |= 1 << i;
                reach(Path.VoteCommitted);
            } catch {}
        }
        holds(stateOf(c.round) == before);
    }

    function revealVotes(uint256 seed, uint256 silent) external {
        revealOf(pickCharge(seed, isUnheard), silent);
    }

    /// @dev Mostly once it is time, and by all who committed.
    function revealOf(Charge storage c, uint256 silent) private {
        task = c.task;
        uint256 from = jury.caseOf(task, c.round).commitEnd;
        if (silent % 8 != 0 && block.timestamp < from) skip(from - block.timestamp);
        bytes32 before = stateOf(c.round);
        for (uint256 i = 0; i < COUNT; ++i) {
            bool isSilent = silent % 4 == 1 && odd(silent >> (i + 8));
            if (isSilent || (c.voters & ~c.heard) & (1 << i) == 0) continue;
            revealVote(c.round, i, c.wrong & (1 << i) != 0);
            c.heard |= 1 << i;
            reach(Path.VoteRevealed);
        }
        holds(stateOf(c.round) == before);
    }

    /// @dev Often once all have revealed; or when the round is final.
    function judgeGradients(uint256 seed, uint256 late) external {
        Charge storage c = pickCharge(seed, isHeardTooLate);
        if (!isHeardTooLate(c)) c = pickCharge(seed, odd(mix(seed, 1)) ? isHeard : isOpen);
        task = c.task;
        if (mix(seed, 2) % 4 != 0 && isUnheard(c)) revealOf(c, mix(seed, 3));
        if (mix(seed, 4) % 4 != 0) finalizeAll();
        uint256 from = jury.caseOf(task, c.round).revealEnd;
        if (odd(late) && isOpen(c) && block.timestamp < from) skip(from - block.timestamp);
        judgeOne(c);
    }

    /// @dev Ends a case of the task: by a conviction where most stake says so and the round stands.
    function judgeOne(Charge storage c) internal {
        uint64 round = c.round;
        bool stood = isStanding(round);
        uint256 bonds = jury.bondsOf(c.accuser);
        bytes32 before = stateOf(round);
        Sentence memory s = foresee(round, c.accuser);
        uint256 fortune = token.balanceOf(c.accuser);
        vm.prank(ANYONE);
        jury.judge(task, round);
        holds(jury.bondsOf(c.accuser) == bonds - c.bond);
        IGradientVote.Verdict found = jury.caseOf(task, round).verdict;
        bool convicts = found == IGradientVote.Verdict.Wrong && stood;
        if (convicts) sentenced(s);
        else holds(stateOf(round) == before && token.balanceOf(c.accuser) == fortune);
        judged(found, convicts);
    }

    function judged(IGradientVote.Verdict found, bool convicts) private {
        if (convicts) reach(Path.JudgedWrong);
        else if (found == IGradientVote.Verdict.Wrong) reach(Path.JudgedWrongTooLate);
        else if (found == IGradientVote.Verdict.Right) reach(Path.JudgedRight);
        else reach(found == IGradientVote.Verdict.Lapsed ? Path.JudgedLapsed : Path.JudgedUndecided);
    }

    /// @dev Mostly of a node that was in the minority, where there is one; else of whichever it is.
    function fineJuror(uint256 seed, uint256 i) external {
        Charge storage c = pickCharge(seed, mix(seed, 1) % 4 != 0 ? hasMinority : isJudged);
        (task, i) = (c.task, i % COUNT);
        uint256 minority = minorityOf(c);
        for (uint256 k = 0; k < COUNT && mix(seed, 2) % 4 != 0 && minority & (1 << i) == 0; ++k)
            i = (i + 1) % COUNT;
        uint256 before = registry.supernode(node(i)).active + registry.supernode(node(i)).unbonding;
        bool again = jury.ballotOf(task, c.round, node(i)).fined;
        fine(c.round, i);
        holds(!again);
        uint256 left = registry.supernode(node(i)).active + registry.supernode(node(i)).unbonding;
        holds(before - left <= FINE);
        reach(c.heard & (1 << i) == 0 ? Path.FinedForAbsence : Path.FinedForTheMinority);
    }

    // Which case

    /// @dev Whether enough may vote for a judgement.
    function hasJury(uint64 round) private view returns (bool) {
        return isStanding(round) && bits(book().eligible[round]) > 2;
    }

    function pickCharge(
        uint256 seed,
        function(Charge storage) view returns (bool) isMeant
    ) private view returns (Charge storage) {
        uint256 start = mix(seed, 97) % charges.length;
        for (uint256 k = 0; k < charges.length; ++k) {
            Charge storage one = charges[(start + k) % charges.length];
            if (isMeant(one)) return one;
        }
        return charges[start];
    }

    function verdictOf(Charge storage c) internal view returns (IGradientVote.Verdict) {
        return jury.caseOf(c.task, c.round).verdict;
    }

    function isOpen(Charge storage c) internal view returns (bool) {
        return verdictOf(c) == IGradientVote.Verdict.None;
    }

    function isUnheard(Charge storage c) private view returns (bool) {
        return isOpen(c) && c.voters != c.heard && block.timestamp < jury.caseOf(c.task, c.round).revealEnd;
    }

    function isHeard(Charge storage c) private view returns (bool) {
        return isOpen(c) && c.voters == c.heard && c.voters != 0;
    }

    function hasMinority(Charge storage c) private view returns (bool) {
        return minorityOf(c) != 0;
    }

    /// @dev Bit of each node that revealed another vote than the judgement, and has paid no fine.
    function minorityOf(Charge storage c) private view returns (uint256 nodes) {
        IGradientVote.Verdict found = verdictOf(c);
        if (found == IGradientVote.Verdict.Wrong) nodes = c.heard & ~c.wrong;
        if (found == IGradientVote.Verdict.Right) nodes = c.heard & c.wrong;
        for (uint256 i = 0; i < COUNT; ++i)
            if (jury.ballotOf(c.task, c.round, node(i)).fined) nodes &= ~(1 << i);
    }

    function isHeardTooLate(Charge storage c) private view returns (bool) {
        return isHeard(c) && coordinator.roundOf(c.task, c.round).phase == IRounds.Phase.Finalized;
    }

    function isJudged(Charge storage c) private view returns (bool) {
        return !isOpen(c);
    }
}
