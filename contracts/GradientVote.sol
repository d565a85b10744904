// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { Windows } from "./disputes/Windows.sol";
import { IDisputes } from "./interfaces/IDisputes.sol";
import { IGradientVote } from "./interfaces/IGradientVote.sol";
import { IProver } from "./interfaces/IProver.sol";
import { IRounds } from "./interfaces/IRounds.sol";
import { IStatements } from "./interfaces/IStatements.sol";
import { ISupernodeRegistry } from "./interfaces/ISupernodeRegistry.sol";
import { ITasks } from "./interfaces/ITasks.sol";
import { ITrainingCoordinator } from "./interfaces/ITrainingCoordinator.sol";

/// @title The jury on gradients
/// @notice To Disputes it is one more prover, which holds for the moment that a majority of jurors has found a gradient wrong. It
/// needs the registry's `setSlasher`, for bonds and fines are stake. Invariants: it holds no tokens between transactions; a case
/// changes nothing of a round but by a conviction; nobody is fined who voted with the majority, nor for a case that lapsed.
contract GradientVote is IGradientVote, IProver {
    using SafeERC20 for IERC20;

    /// @dev Jurors of a case, about: each member of the round is one by this number in its members.
    uint256 private constant JURORS = 25;
    /// @dev Fewer votes decide nothing, nor do fewer than half of the jurors.
    uint256 private constant LEAST_VOTES = 3;
    /// @dev Commits, reveals, and the judgement.
    uint256 private constant MOVES = 3;
    uint256 private constant FINE_PART = 100; // of the minimum stake
    uint8 private constant CLAIM = 0;

    /// @notice The token that bonds are paid in.
    IERC20 public immutable token;
    /// @notice Stakes of accusers, jurors and Superlinks.
    ISupernodeRegistry public immutable registry;
    /// @notice Rounds and their members.
    ITrainingCoordinator public immutable coordinator;
    /// @notice What voids rounds and takes their bonds.
    IDisputes public immutable disputes;

    /// @inheritdoc IGradientVote
    mapping(address accuser => uint256 sum) public bondsOf;

    mapping(uint64 task => mapping(uint64 round => GradientCase)) private _cases;
    mapping(uint64 task => mapping(uint64 round => mapping(address juror => Ballot))) private _ballots;

    /// @param token_ the DAO's token
    /// @param registry_ the SupernodeRegistry
    /// @param coordinator_ the TrainingCoordinator
    /// @param disputes_ the Disputes
    constructor(
        IERC20 token_,
        ISupernodeRegistry registry_,
        ITrainingCoordinator coordinator_,
        IDisputes disputes_
    ) {
        token = token_;
        registry = registry_;
        coordinator = coordinator_;
        disputes = disputes_;
    }

    /// @inheritdoc IGradientVote
    function accuse(uint64 task, uint64 round, bytes32 resultHash) external {
        GradientCase storage c = _cases[task][round];
        if (c.accuser != address(0)) revert AlreadyAccused(task, round);
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(task, round);
        IRounds.Round memory r = coordinator.roundOf(task, round);
        uint256 time = Windows.requireTime(r, task, round, rules.challengePeriod, MOVES);
        _requireResult(r, resultHash);
        if (!disputes.isProver(address(this), r.openedAt))
            revert IDisputes.NotProver(address(this), task, round);
        uint256 bond = Math.min(rules.challengeBond, rules.minStake); // which each member has
        uint256 bonds = bondsOf[msg.sender] + bond;
        uint256 stake = registry.stakeOf(msg.sender);
        if (stake < bonds) revert StakeBelowBonds(stake, bonds);

        bondsOf[msg.sender] = bonds;
        c.accuser = msg.sender;
        c.openBlock = uint48(block.number);
        c.commitEnd = uint48(block.timestamp + time);
        c.revealEnd = uint48(block.timestamp + 2 * time);
        c.bond = uint128(bond);
        emit GradientAccused(task, round, msg.sender, bond, c.commitEnd, c.revealEnd);
        disputes.announce(_hashAnnouncement(task, round));
    }

    /// @inheritdoc IGradientVote
    function draw(uint64 task, uint64 round) external {
        _keepSeed(_openCase(task, round));
    }

    /// @inheritdoc IGradientVote
    function commitVote(uint64 task, uint64 round, bytes32 resultHash, bytes32 commitment) external {
        GradientCase storage c = _openCase(task, round);
        _requireResult(coordinator.roundOf(task, round), resultHash);
        if (block.timestamp >= c.commitEnd) revert IRounds.TooLate(c.commitEnd);
        _keepSeed(c);
        if (weightOf(task, round, msg.sender) == 0) revert NotJuror(msg.sender);
        Ballot storage ballot = _ballots[task][round][msg.sender];
        if (ballot.commitment != 0) revert AlreadyVoted(msg.sender);

        ballot.commitment = commitment;
        ++c.commits;
        emit VoteCommitted(task, round, msg.sender);
    }

    /// @inheritdoc IGradientVote
    function revealVote(uint64 task, uint64 round, bool wrong, bytes32 salt) external {
        GradientCase storage c = _openCase(task, round);
        if (block.timestamp < c.commitEnd) revert IRounds.TooEarly(c.commitEnd);
        if (block.timestamp >= c.revealEnd) revert IRounds.TooLate(c.revealEnd);
        Ballot storage ballot = _ballots[task][round][msg.sender];
        bytes32 commitment = keccak256(abi.encode(msg.sender, task, round, wrong, salt));
        if (ballot.revealed || commitment != ballot.commitment) revert WrongVote(msg.sender);

        (ballot.revealed, ballot.wrong) = (true, wrong);
        ++c.votes;
        uint128 weight = uint128(weightOf(task, round, msg.sender));
        if (wrong) c.forWrong += weight;
        else c.forRight += weight;
        emit VoteRevealed(task, round, msg.sender, wrong, weight);
    }

    /// @inheritdoc IGradientVote
    function judge(uint64 task, uint64 round) external {
        GradientCase storage c = _openCase(task, round);
        bool heard = block.timestamp >= c.commitEnd && c.votes == c.commits && c.votes != 0;
        if (!heard && block.timestamp < c.revealEnd) revert IRounds.TooEarly(c.revealEnd);
        IRounds.Round memory r = coordinator.roundOf(task, round);
        Verdict verdict = _count(c, r);
        address accuser = c.accuser;

        c.verdict = verdict;
        bondsOf[accuser] -= c.bond;
        if (verdict == Verdict.Right) _takeBond(task, round, c);
        else emit GradientJudged(task, round, verdict, c.forWrong, c.forRight, 0);
        if (verdict != Verdict.Wrong || r.phase == IRounds.Phase.Finalized) return;
        uint256 before = token.balanceOf(address(this));
        // Disputes compares neither where a prover calls itself
        // slither-disable-next-line uninitialized-local
        IRounds.Result memory any;
        // slither-disable-next-line uninitialized-local
        IStatements.Statement memory statement;
        disputes.convict(address(this), CLAIM, task, round, any, statement, "");
        token.safeTransfer(accuser, token.balanceOf(address(this)) - before);
    }

    /// @inheritdoc IGradientVote
    function fine(uint64 task, uint64 round, address juror) external {
        GradientCase storage c = _cases[task][round];
        Verdict verdict = c.verdict;
        Ballot storage ballot = _ballots[task][round][juror];
        bool owes = verdict != Verdict.None && verdict != Verdict.Lapsed && !ballot.fined;
        if (ballot.revealed) owes = owes && verdict == (ballot.wrong ? Verdict.Right : Verdict.Wrong);
        if (!owes || weightOf(task, round, juror) == 0) revert NotFinable(juror);

        ballot.fined = true;
        uint256 amount = registry.minimumStake() / FINE_PART;
        emit JurorFined(task, round, juror, amount);
        // slither-disable-next-line unused-return (less where less is left)
        registry.slash(juror, amount, msg.sender, amount / 2);
    }

    /// @inheritdoc IProver
    function check(Case calldata accused, uint8 claim, bytes calldata) external view {
        // slither-disable-next-line incorrect-equality (verdicts are compared)
        bool wrong = _cases[accused.task][accused.round].verdict == Verdict.Wrong;
        if (claim != CLAIM || !wrong) revert NotGuilty();
    }

    /// @inheritdoc IGradientVote
    function caseOf(uint64 task, uint64 round) external view returns (GradientCase memory) {
        return _cases[task][round];
    }

    /// @inheritdoc IGradientVote
    function ballotOf(uint64 task, uint64 round, address juror) external view returns (Ballot memory) {
        return _ballots[task][round][juror];
    }

    /// @inheritdoc IGradientVote
    function weightOf(uint64 task, uint64 round, address account) public view returns (uint256) {
        bytes32 seed = _findSeed(_cases[task][round]);
        if (seed == 0 || !coordinator.wasMember(task, account, round)) return 0;
        IRounds.Round memory r = coordinator.roundOf(task, round);
        // of up to JURORS members each is one; the seed is a block's hash, which who built that block could choose among
        // slither-disable-next-line weak-prng
        if (uint256(keccak256(abi.encode(seed, account))) % r.eligible >= JURORS) return 0;
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(task, round);
        uint256 stake = registry.stakeAt(account, r.openBlock - 1);
        if (stake < rules.minStake) return 0;
        return rules.admittedOnly ? 1 : Math.min(stake, rules.maxStake);
    }

    /// @dev Keeps the seed in the case, so that it outlasts the 256 blocks.
    function _keepSeed(GradientCase storage c) private {
        if (c.seed != 0) return;
        bytes32 seed = _findSeed(c);
        if (seed == 0) revert NoSeed(c.openBlock + 1);
        c.seed = seed;
    }

    /// @dev Takes the bond of an accuser whom the majority found wrong, as far as its stake reaches.
    function _takeBond(uint64 task, uint64 round, GradientCase storage c) private {
        ISupernodeRegistry.Supernode memory stake = registry.supernode(c.accuser);
        uint256 lost = Math.min(c.bond, stake.active + stake.unbonding);
        emit GradientJudged(task, round, c.verdict, c.forWrong, c.forRight, lost);
        if (lost == 0) return;
        address accused = registry.ownerOf(coordinator.rulesOfRound(task, round).superlink);
        // slither-disable-next-line unused-return (as much as asked for: it is there)
        registry.slash(c.accuser, lost, accused, lost / 2);
    }

    /// @dev Returns what the votes come to.
    function _count(GradientCase storage c, IRounds.Round memory r) private view returns (Verdict) {
        if (r.phase == IRounds.Phase.Void) return Verdict.Lapsed;
        uint256 needed = Math.max(LEAST_VOTES, Math.ceilDiv(Math.min(r.eligible, JURORS), 2));
        if (c.votes < needed || c.forWrong == c.forRight) return Verdict.Undecided;
        return c.forWrong > c.forRight ? Verdict.Wrong : Verdict.Right;
    }

    /// @dev Returns the seed of a case: the hash of the block after it was opened; 0 while and where it cannot be had.
    function _findSeed(GradientCase storage c) private view returns (bytes32 seed) {
        seed = c.seed;
        if (seed == 0 && c.accuser != address(0)) seed = blockhash(c.openBlock + 1);
    }

    /// @dev Reverts unless a round has this result. A reorg may give it another, for which an old transaction is not meant.
    function _requireResult(IRounds.Round memory r, bytes32 resultHash) private pure {
        if (r.resultHash != resultHash) revert IRounds.BadResult("hash");
    }

    function _openCase(uint64 task, uint64 round) private view returns (GradientCase storage c) {
        c = _cases[task][round];
        if (c.accuser == address(0) || c.verdict != Verdict.None) revert NoCase(task, round);
    }

    /// @dev Returns what Disputes is told when a case opens: of a proof without content, by this contract.
    function _hashAnnouncement(uint64 task, uint64 round) private view returns (bytes32) {
        bytes32 proof = keccak256(abi.encode(address(this), CLAIM, task, round, bytes("")));
        return keccak256(abi.encode(address(this), proof));
    }
}
