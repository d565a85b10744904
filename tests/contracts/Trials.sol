// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { ISupernodeRegistry } from "../../contracts/interfaces/ISupernodeRegistry.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Handler } from "./Handler.sol";

/// @dev The handler's calls about wrong results: accusations, concessions, votes on the prover, and the Superlink's stake.
abstract contract Trials is Handler {
    bytes internal constant PROOF = "proof";

    function announceProof(uint256 seed) external on(seed) {
        uint64 round = odd(mix(seed, 1)) ? last() : pick(seed, isStanding);
        vm.prank(ACCUSER);
        disputes.announce(digest(round, PROOF));
        reach(Path.Announced);
    }

    /// @dev Mostly a proof that holds, mostly announced in time, of a round that may have ended.
    function convictRound(uint256 seed, uint256 fault) external on(seed) {
        uint256 dice = mix(seed, 1) % 8;
        if (dice < 4) advanceBy(5, seed);
        if (dice == 0) takeStake(seed, registry.stakeOf(superlink));
        if (dice == 4) tryChallenge(seed);
        uint64 round = pick(
            seed,
            dice < 4
                ? isBuiltOn
                : dice < 6
                    ? isFrozen
                    : isStanding
        );
        if (fault % 4 != 0) announce(round, PROOF);
        if (fault % 8 == 1) convict(round, result(round), PROOF);
        else convictOne(round);
    }

    function convictOne(uint64 round) private {
        ITasks.TaskRules memory r = book().rules[round];
        bool frozen = isFrozen(round);
        bool builtOn = round < head();
        uint256 stake_ = superlinkStake();
        uint256 slashed = Math.min(r.superlinkBond, stake_);
        uint256 paid = token.balanceOf(ACCUSER) + Math.min(slashed / 10, r.challengeBond);
        convict(round, book().posted[round].result, PROOF);

        book().funded += slashed / 4;
        holds(superlinkStake() == stake_ - slashed && token.balanceOf(ACCUSER) == paid);
        holds(wasInTheSet(coordinator.roundOf(task, round).openedAt));
        holds(disputes.announcedIn(digest(round, PROOF)) < block.number);
        reach(frozen ? Path.ConvictedFrozen : Path.ConvictedPosted);
        if (builtOn) reach(Path.ConvictedBuiltOn);
        if (slashed < r.superlinkBond) reach(Path.ConvictedWithTooLittleStake);
    }

    function concedeRound(uint256 seed) external on(seed) {
        if (odd(mix(seed, 1))) tryChallenge(seed);
        uint64 round = pick(seed, odd(mix(seed, 1)) ? isFrozen : isStanding);
        bool frozen = isFrozen(round);
        uint256 stake_ = superlinkStake();
        vm.prank(superlink);
        coordinator.concede(task, round);
        holds(superlinkStake() == stake_);
        reach(frozen ? Path.ConcededFrozen : Path.ConcededPosted);
    }

    function voteProver(uint256 seed) external {
        vote(odd(mix(seed, 1)));
    }

    /// @dev The Superlink covers its bonds, or takes some or all of its stake out.
    function moveSuperlinkStake(uint256 seed) external {
        if (seed % 4 != 0) return coverBonds();
        uint256 active = registry.stakeOf(superlink);
        takeStake(seed, seed % 8 == 0 ? active : mix(seed, 1) % (1 + active));
    }

    function takeStake(uint256 seed, uint256 amount) private {
        vm.prank(ownerOf(SUPERLINK_KEY));
        registry.unbond(superlink, amount);
        if (odd(mix(seed, 2))) skip(UNBONDING);
        if (odd(mix(seed, 2))) registry.withdraw(superlink);
        reach(Path.SuperlinkUnbonded);
    }

    function tryChallenge(uint256 seed) private {
        try this.challengeRound(seed) {} catch {}
    }

    function superlinkStake() internal view returns (uint256) {
        ISupernodeRegistry.Supernode memory s = registry.supernode(superlink);
        return s.active + s.unbonding;
    }
}
