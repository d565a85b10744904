// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { Ownable } from "@openzeppelin/contracts/access/Ownable.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";
import { Checkpoints } from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import { Time } from "@openzeppelin/contracts/utils/types/Time.sol";

import { Absences } from "./disputes/Absences.sol";
import { Demands } from "./disputes/Demands.sol";
import { Equivocations } from "./disputes/Equivocations.sol";
import { IDisputes } from "./interfaces/IDisputes.sol";
import { IProver } from "./interfaces/IProver.sol";
import { IRewardDistributor } from "./interfaces/IRewardDistributor.sol";
import { IRounds } from "./interfaces/IRounds.sol";
import { IStatements } from "./interfaces/IStatements.sol";
import { ISupernodeRegistry } from "./interfaces/ISupernodeRegistry.sol";
import { ITasks } from "./interfaces/ITasks.sol";
import { ITrainingCoordinator } from "./interfaces/ITrainingCoordinator.sol";

/// @title The court: proofs that a result is wrong, and what they cost its Superlink
/// @notice It checks who accuses and what, leaves the proof to a prover, hears demands, strikes the round and slashes the bond; and it puts Supernodes to sleep that are not there. It
/// needs the coordinator's `setDisputes` and the registry's `setSlasher`. Between transactions it holds no tokens, and of the
/// chain's coin the bonds of open demands.
contract Disputes is IDisputes, Demands, Equivocations, Absences, Ownable {
    using Checkpoints for Checkpoints.Trace208;
    using SafeERC20 for IERC20;

    /// @dev Of what is slashed, one part in so many goes to the accuser and into the task's escrow: together less than the
    /// half that the registry does not burn.
    uint256 private constant ACCUSER_PART = 10;
    uint256 private constant ESCROW_PART = 4;

    /// @notice The token that bonds are paid in.
    IERC20 public immutable token;
    /// @notice Stakes of Superlinks.
    ISupernodeRegistry public immutable registry;
    /// @notice Escrows of tasks.
    IRewardDistributor public immutable distributor;
    /// @notice Rounds and their results.
    ITrainingCoordinator public immutable coordinator;

    /// @inheritdoc IDisputes
    mapping(bytes32 digest => uint256 blockNumber) public announcedIn;

    mapping(address prover => Checkpoints.Trace208) private _allowedByTime;

    /// @param token_ the DAO's token
    /// @param registry_ the SupernodeRegistry
    /// @param distributor_ the RewardDistributor, which may take tokens from here
    /// @param coordinator_ the TrainingCoordinator
    /// @param owner_ the timelock
    constructor(
        IERC20 token_,
        ISupernodeRegistry registry_,
        IRewardDistributor distributor_,
        ITrainingCoordinator coordinator_,
        address owner_
    ) Ownable(owner_) {
        token = token_;
        registry = registry_;
        distributor = distributor_;
        coordinator = coordinator_;
        token_.forceApprove(address(distributor_), type(uint256).max);
    }

    /// @inheritdoc IDisputes
    function announce(bytes32 digest) external {
        // slither-disable-next-line incorrect-equality (a block is never 0)
        if (announcedIn[digest] == 0) announcedIn[digest] = block.number;
    }

    /// @inheritdoc IDisputes
    function convict(
        address prover,
        uint8 claim,
        uint64 task,
        uint64 round,
        IRounds.Result calldata result,
        IStatements.Statement calldata statement,
        bytes calldata proof
    ) external {
        _requireAnnounced(keccak256(abi.encode(prover, claim, task, round, proof)));
        // a prover that calls by itself answers for the case; that the round stands, the strike asks for
        uint256 openedAt =
            msg.sender == prover
                ? coordinator.roundOf(task, round).openedAt
                : _requireStated(task, round, result, statement);
        if (!isProver(prover, openedAt)) revert NotProver(prover, task, round);
        IProver(prover).check(IProver.Case(task, round, result, statement), claim, proof);

        _punish(prover, claim, task, round, msg.sender);
    }

    /// @inheritdoc IDisputes
    function setProver(address prover, bool allowed) external onlyOwner {
        // slither-disable-next-line unused-return (the old and new value)
        _allowedByTime[prover].push(Time.timestamp(), allowed ? 1 : 0);
        emit ProverSet(prover, allowed);
    }

    /// @inheritdoc IDisputes
    function isProver(address prover, uint256 time) public view returns (bool) {
        return _allowedByTime[prover].upperLookupRecent(uint48(time)) == 1;
    }

    /// @dev Voids the round, also where its Superlink has nothing left to lose, and divides what it has of the bond.
    function _punish(
        address prover,
        uint8 claim,
        uint64 task,
        uint64 round,
        address accuser
    ) internal override {
        (address superlink, uint256 slashed, uint256 paid) = _computePenalty(task, round);
        emit Convicted(task, round, prover, claim, accuser, slashed, paid);
        coordinator.strike(task, round);
        _take(superlink, task, slashed, paid, slashed / ESCROW_PART, accuser);
    }

    /// @dev Slashes stake: `paid` goes to the accuser, `funds` into the task's escrow, and the rest is burned. Whoever has withdrawn
    /// all has nothing left to lose.
    function _take(
        address operator,
        uint64 task,
        uint256 slashed,
        uint256 paid,
        uint256 funds,
        address accuser
    ) internal override {
        if (slashed == 0) return;
        // slither-disable-next-line unused-return (no more and no less than asked for, of stake that is there)
        registry.slash(operator, slashed, address(this), paid + funds);
        if (funds != 0) distributor.fund(task, funds);
        token.safeTransfer(accuser, paid);
    }

    /// @dev Returns what a Supernode that committed twice loses, what the accuser gets of it, and what the task's escrow does: nothing
    /// of a task that is closed, whose escrow takes no more.
    function _computeNodePenalty(
        uint64 task,
        uint64 round,
        address node
    ) internal view override returns (uint256 slashed, uint256 paid, uint256 funds) {
        ISupernodeRegistry.Supernode memory stake = registry.supernode(node);
        slashed = Math.min(registry.minimumStake(), stake.active + stake.unbonding);
        paid = Math.min(slashed / ACCUSER_PART, coordinator.rulesOfRound(task, round).challengeBond);
        funds = coordinator.taskOf(task).closed ? 0 : slashed / ESCROW_PART;
    }

    /// @dev Returns what the Superlink of a round loses, and what the accuser gets of it.
    function _computePenalty(
        uint64 task,
        uint64 round
    ) private view returns (address superlink, uint256 slashed, uint256 paid) {
        ITasks.TaskRules memory rules = coordinator.rulesOfRound(task, round);
        superlink = rules.superlink;
        ISupernodeRegistry.Supernode memory stake = registry.supernode(superlink);
        slashed = Math.min(rules.superlinkBond, stake.active + stake.unbonding);
        paid = Math.min(slashed / ACCUSER_PART, rules.challengeBond);
    }

    /// @dev Reverts unless the caller announced the proof in an earlier block.
    function _requireAnnounced(bytes32 proof) internal view override {
        bytes32 digest = keccak256(abi.encode(msg.sender, proof));
        uint256 announced = announcedIn[digest];
        // slither-disable-next-line incorrect-equality (a block is never 0)
        if (announced == 0 || announced == block.number) revert NotAnnounced(digest);
    }

    /// @dev Reverts unless the round stands with this result, and the result with this statement.
    /// @return openedAt when the round opened
    function _requireStated(
        uint64 task,
        uint64 round,
        IRounds.Result calldata result,
        IStatements.Statement calldata statement
    ) internal view override returns (uint256 openedAt) {
        IRounds.Round memory r = coordinator.roundOf(task, round);
        if (r.phase != IRounds.Phase.Posted && r.phase != IRounds.Phase.Frozen)
            revert IRounds.WrongPhase(task, round, r.phase);
        if (keccak256(abi.encode(result)) != r.resultHash) revert WrongResult(task, round);
        if (keccak256(abi.encode(statement)) != result.statement) revert WrongStatement(task, round);
        return r.openedAt;
    }

    /// @dev The coordinator of all demands.
    function _rounds()
        internal
        view
        override(Demands, Equivocations, Absences)
        returns (ITrainingCoordinator)
    {
        return coordinator;
    }
}
