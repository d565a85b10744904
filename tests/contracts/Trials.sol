// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { IEquivocations } from "../../contracts/interfaces/IEquivocations.sol";
import { ISupernodeRegistry } from "../../contracts/interfaces/ISupernodeRegistry.sol";
import { IRounds } from "../../contracts/interfaces/IRounds.sol";
import { ITasks } from "../../contracts/interfaces/ITasks.sol";
import { Handler } from "./Handler.sol";

/// @dev The handler's calls about wrong results: accusations, concessions, votes on the prover, and the Superlink's stake.
abstract contract Trials is Handler {
    bytes internal constant PROOF = "proof";

    struct Sentence {
        uint64 round;
        address accuser;
        uint256 slashed; // of the Superlink's stake
        uint256 left; // of it
        uint256 fortune; // tokens of the accuser's, by then
        bool frozen; // before
        bool builtOn;
    }

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
        if (dice < 2) takeStake(seed, registry.stakeOf(superlink));
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

    /// @dev A conviction that is due is not refused, whatever is left of the Superlink's stake.
    function convictOne(uint64 round) private {
        Sentence memory s = foresee(round, ACCUSER);
        bool isDue = isStanding(round) && wasInTheSet(coordinator.roundOf(task, round).openedAt);
        uint256 announced = disputes.announcedIn(digest(round, PROOF));
        try this.convictAt(task, round) {} catch {
            isDue = isDue && announced != 0 && announced < block.number;
            holds(!isDue);
            require(isDue, "refused");
            return;
        }
        sentenced(s);
        holds(wasInTheSet(coordinator.roundOf(task, round).openedAt));
        holds(disputes.announcedIn(digest(round, PROOF)) < block.number);
        reach(s.frozen ? Path.ConvictedFrozen : Path.ConvictedPosted);
        if (s.builtOn) reach(Path.ConvictedBuiltOn);
        if (s.slashed < book().rules[round].superlinkBond) reach(Path.ConvictedWithTooLittleStake);
    }

    function convictAt(uint64 task_, uint64 round) external {
        require(msg.sender == address(this), "a part of a call");
        task = task_;
        convict(round, book().posted[round].result, PROOF);
    }

    /// @dev What a conviction of a round must come to, whoever accuses and however it is shown.
    function foresee(uint64 round, address accuser) internal view returns (Sentence memory s) {
        ITasks.TaskRules memory r = book().rules[round];
        uint256 stake_ = superlinkStake();
        s.round = round;
        s.accuser = accuser;
        s.slashed = Math.min(r.superlinkBond, stake_);
        s.left = stake_ - s.slashed;
        s.fortune = token.balanceOf(accuser) + Math.min(s.slashed / 10, r.challengeBond);
        s.frozen = isFrozen(round);
        s.builtOn = round < head();
    }

    /// @dev The round was convicted.
    function sentenced(Sentence memory s) internal {
        book().funded += s.slashed / 4;
        holds(phase(s.round) == IRounds.Phase.Void);
        holds(superlinkStake() == s.left && token.balanceOf(s.accuser) == s.fortune);
    }

    /// @dev A Supernode has signed two commits to one opening, of any of the last rounds.
    function convictNode(uint256 seed, uint256 i) external on(seed) {
        uint64 round = pick(seed, odd(mix(seed, 1)) ? isInProgress : isStanding);
        i %= COUNT;
        IEquivocations.Signed memory one = signTwo(round, i, "one");
        IEquivocations.Signed memory other = signTwo(round, i, "other");
        bytes32 proof = keccak256(abi.encode(task, round, node(i), one, other));
        if (mix(seed, 2) % 4 != 0) announceDigest(keccak256(abi.encode(ACCUSER, proof)));
        uint256 stake_ = stakeOf(node(i));
        uint256 slashed = Math.min(MINIMUM, stake_);
        uint256 fortune =
            token.balanceOf(ACCUSER) + Math.min(slashed / 10, book().rules[round].challengeBond);
        vm.prank(ACCUSER);
        disputes.convictNode(task, round, node(i), one, other);
        holds(book().eligible[round] & ~book().twofold[round] & (1 << i) != 0);
        holds(stakeOf(node(i)) == stake_ - slashed && token.balanceOf(ACCUSER) == fortune);
        book().twofold[round] |= 1 << i;
        if (!coordinator.taskOf(task).closed) book().funded += slashed / 4;
        reach(Path.NodeConvicted);
    }

    function signTwo(
        uint64 round,
        uint256 i,
        string memory what
    ) private view returns (IEquivocations.Signed memory) {
        bytes32 value = keccak256(bytes(what));
        return IEquivocations.Signed(value, signCommit(round, i, value));
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

    /// @dev All that the chain keeps of a round and its task: a case changes it by a conviction only.
    function stateOf(uint64 round) internal view returns (bytes32) {
        return keccak256(abi.encode(coordinator.roundOf(task, round), coordinator.taskOf(task)));
    }

    function superlinkStake() internal view returns (uint256) {
        return stakeOf(superlink);
    }

    /// @dev All that an operator has to lose.
    function stakeOf(address operator) private view returns (uint256) {
        ISupernodeRegistry.Supernode memory s = registry.supernode(operator);
        return uint256(s.active) + s.unbonding;
    }
}
