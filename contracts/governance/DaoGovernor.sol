// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { GovernorCountingSimple } from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import { GovernorPreventLateQuorum } from "@openzeppelin/contracts/governance/extensions/GovernorPreventLateQuorum.sol";
import { GovernorSettings } from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import { GovernorTimelockControl } from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import { GovernorVotes } from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import { GovernorVotesQuorumFraction } from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import { Governor } from "@openzeppelin/contracts/governance/Governor.sol";
import { TimelockController } from "@openzeppelin/contracts/governance/TimelockController.sol";
import { IVotes } from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import { SignatureChecker } from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title The decisions of the DAO
/// @notice OpenZeppelin's Governor over the votes of VotingPower: a proposal that reaches its quorum, with more votes
/// for than against, is queued in the timelock, which owns everything, and anyone executes it after the timelock's
/// delay. Members need no gas: they sign, and anyone sends. Only the timelock changes settings.
contract DaoGovernor is
    GovernorSettings,
    GovernorCountingSimple,
    GovernorVotesQuorumFraction,
    GovernorPreventLateQuorum,
    GovernorTimelockControl
{
    /// @notice The type of the message that a proposer signs (EIP-712); `actions` is
    /// keccak256(abi.encode(targets, values, calldatas)), and `nonce` the proposer's, which ballots use, too.
    bytes32 public constant PROPOSE_TYPEHASH = keccak256(
        "Propose(address proposer,bytes32 actions,string description,uint256 nonce,uint256 deadline)"
    );

    /// @notice The proposer's signature was valid until this block time.
    error ProposalSignatureExpired(uint256 deadline);

    /// @param votes the VotingPower
    /// @param timelock_ the timelock, which is to make this contract its proposer
    /// @param votingDelay_ seconds from the proposal until the votes are counted and voting begins
    /// @param votingPeriod_ seconds of voting
    /// @param threshold votes that a proposer needs, in wei
    /// @param quorumPercent quorum of votes for and abstentions, in percent of the supply that counts
    /// @param lateExtension least seconds of voting that are left once the quorum is reached
    constructor(
        IVotes votes,
        TimelockController timelock_,
        uint48 votingDelay_,
        uint32 votingPeriod_,
        uint256 threshold,
        uint256 quorumPercent,
        uint48 lateExtension
    )
        Governor("DaoGovernor")
        GovernorSettings(votingDelay_, votingPeriod_, threshold)
        GovernorVotes(votes)
        GovernorVotesQuorumFraction(quorumPercent)
        GovernorPreventLateQuorum(lateExtension)
        GovernorTimelockControl(timelock_)
    {}

    /// @notice Makes a proposal that its proposer signed. The proposer needs the votes for it; anyone may call.
    /// @param proposer the proposer
    /// @param targets contracts that the timelock calls
    /// @param values ether in wei that each call carries
    /// @param calldatas data of each call
    /// @param description title and reasons; part of the proposal's id
    /// @param deadline last block time at which the signature is valid
    /// @param signature signature of `Propose` by the proposer (ECDSA, or ERC-1271 where it is a contract)
    /// @return the proposal's id
    // in memory, as the Governor's own functions take them: as calldata they are too many for the stack
    // solhint-disable gas-calldata-parameters
    function proposeBySig(
        address proposer,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        uint256 deadline,
        bytes memory signature
    ) external returns (uint256) {
        if (block.timestamp > deadline) revert ProposalSignatureExpired(deadline);
        bytes32 actions = keccak256(abi.encode(targets, values, calldatas));
        bytes32 digest = _proposeDigest(proposer, actions, description, deadline);
        if (!SignatureChecker.isValidSignatureNow(proposer, digest, signature)) {
            revert GovernorInvalidSignature(proposer);
        }
        _requireProposer(proposer, description);
        return _propose(targets, values, calldatas, description, proposer);
    }
    // solhint-enable gas-calldata-parameters

    /// @inheritdoc GovernorTimelockControl
    function state(
        uint256 proposalId
    ) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(proposalId);
    }

    /// @inheritdoc GovernorPreventLateQuorum
    function proposalDeadline(
        uint256 proposalId
    ) public view override(Governor, GovernorPreventLateQuorum) returns (uint256) {
        return super.proposalDeadline(proposalId);
    }

    /// @inheritdoc GovernorTimelockControl
    function proposalNeedsQueuing(
        uint256 proposalId
    ) public view override(Governor, GovernorTimelockControl) returns (bool) {
        return super.proposalNeedsQueuing(proposalId);
    }

    /// @inheritdoc GovernorSettings
    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    function _tallyUpdated(uint256 proposalId) internal override(Governor, GovernorPreventLateQuorum) {
        super._tallyUpdated(proposalId);
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }

    function _proposeDigest(
        address proposer,
        bytes32 actions,
        string memory description,
        uint256 deadline
    ) private returns (bytes32) {
        bytes32 words = keccak256(bytes(description));
        uint256 nonce = _useNonce(proposer);
        return
            _hashTypedDataV4(
                keccak256(abi.encode(PROPOSE_TYPEHASH, proposer, actions, words, nonce, deadline))
            );
    }

    /// @dev Asks of the proposer what `propose` asks of its sender.
    function _requireProposer(address proposer, string memory description) private view {
        if (!_isValidDescriptionForProposer(proposer, description)) {
            revert GovernorRestrictedProposer(proposer);
        }
        uint256 votes = getVotes(proposer, clock() - 1);
        uint256 needed = proposalThreshold();
        if (votes < needed) revert GovernorInsufficientProposerVotes(proposer, votes, needed);
    }
}
