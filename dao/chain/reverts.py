"""Explains a contract's refusal in a sentence: its custom error and arguments, read from the revert's bytes."""

from collections.abc import Mapping

from dao.chain.interface import decode, refusals
from dao.chain.task_rules import TASK_RULES
from dao.core.formats.reasons import format_tokens
from dao.core.types import Phase, hex_of
from dao.errors import DecodeError, Reverted

_ERROR = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)

# no trouble: a clock that goes on between blocks has come to a deadline, and the newest block has not
NOT_YET = ("TooEarly", "RevealsMissing")
SENTENCES: Mapping[str, str] = {
    # tasks and rounds
    "UnknownTask": "there is no task {task}",
    "TaskIsClosed": "task {task} is closed",
    "BadRules": "the rule {what}: expected {expected}",
    "NotSuperlink": "{caller} is not the task's Superlink, which is {superlink}",
    "NotAdmitted": "{owner} is not admitted to task {task}; the DAO admits owners",
    "AlreadyJoined": "{account} already takes part in task {task}",
    "NotJoined": "{operator} does not take part in task {task} (or not yet when the round opened)",
    "StakeOutsideRules": "the stake is {stake} tokens, the task asks for {minimum}; add stake",
    "StillQualified": "{operator} still meets the rules of task {task}",
    "WrongPhase": "round {round} of task {task} is in phase {phase}",
    "TooEarly": "not before block time {notBefore}; wait",
    "TooLate": "its deadline was block time {deadline}",
    "QuorumMissed": "{have} of {quorum} needed for a quorum",
    "NotFunded": "task {task} has {available} tokens left and needs {needed}; fund it",
    "BondTooSmall": "the Superlink has {stake} tokens at stake and needs {bonds} for all its tasks; add stake",
    "BadSignature": "the signature is by {recovered}, not by {node}",
    "AlreadyCommitted": "{node} has committed to round {round} of task {task} on chain before",
    "ForcedCommitIgnored": "the result states forced commits {stated}, the round has {actual}",
    "RevealsMissing": "{revealed} of {commits} commits are revealed; wait for the reveal deadline",
    "BadResult": "the result is not possible: {what}",
    "BadProof": "the proof does not lead to the root",
    "NotDisputes": "{caller} is not the contract that may strike results",
    "ParentNotFinal": "round {parent} of task {task}, which it builds on, is not final yet",
    "IsSuperlink": "{superlink} is the Superlink of task {task}; neither it nor another Supernode of its owner may join",
    "RoundsInFlight": "task {task} has {count} rounds in flight; wait until they end",
    # proofs that a result is wrong
    "NotAnnounced": "the proof was not announced in an earlier block; announce {digest}, then show it",
    "NotProver": "{prover} was not among the provers when round {round} of task {task} opened",
    "WrongResult": "it is not the result that was posted for round {round} of task {task}",
    "WrongStatement": "it is not the statement of round {round} of task {task}",
    "NotGuilty": "the proof is in order, and the result is right there",
    "BadShape": "there is no such claim, or not about such a result",
    "IndexOutsideTree": "a tree of depth {depth} has no leaf {index}",
    "TooManyLeaves": "a tree of depth {depth} has no {count} leaves",
    "AlreadyRevealed": "{node} opened a commitment of round {round} of task {task} on chain before",
    "NotRevealed": "{node} opened no commitment of round {round} of task {task} on chain",
    "WrongClosing": "round {round} of task {task} was not closed with this root and seed",
    "NotDrawn": "{attester} is not drawn to attest in round {round} of task {task}",
    "AlreadyAttested": "{attester} attested for {node} in round {round} of task {task} before",
    "NotNewest": "round {round} of task {task} is neither the newest with a result nor the one before it",
    "NotAbsent": "{node} was not absent from round {round} of task {task}, or was put to sleep after it",
    "NoSuchPlace": "a round has no leaf at {place} (tree, row or input, index)",
    "AlreadyDemanded": "what is at {place} (tree, row or input, index) was demanded before",
    "NotDemanded": "no demand is open for what is at {place} (tree, row or input, index)",
    "TooManyDemands": "{open} demands are open already; wait until one is answered",
    "DemandBondTooSmall": "{sent} wei came with the demand, its bond is {needed}; send more",
    "WindowTooShort": "task {task} leaves {challengePeriod} s for challenges, too few for a demand and what follows",
    "NotTwice": "{node} did not sign two commits to one opening of round {round} of task {task}",
    "AlreadyEquivocated": "{node} has lost its stake for two commits to round {round} of task {task} already",
    # votes on gradients
    "AlreadyAccused": "the gradients of round {round} of task {task} were accused before; a round has one case at most",
    "NoCase": "no case about the gradients of round {round} of task {task} is open",
    "StakeBelowBonds": "the sender has {stake} tokens at stake, the bonds of its open cases ask for {bonds}; add stake",
    "NoSeed": "the seed is of block {blockNumber}: it is not there yet, or the chain has forgotten it",
    "NotJuror": "{account} is no juror of this case",
    "AlreadyVoted": "{juror} has committed to a vote already",
    "WrongVote": "{juror} did not commit to this vote, or revealed it before",
    "NotFinable": "{account} owes no fine in this case",
    # stake
    "NotOwnerOf": "{caller} does not own the Supernode {operator}",
    "AlreadyRegistered": "{operator} is registered already; use a new operator key",
    "AlreadyRevoked": "{operator} is revoked already; rotate to a new operator, or unbond",
    "NotRegistered": "{operator} is not registered; register it first",
    "OperatorIsOwner": "{account} cannot be owner and operator at once; use two keys",
    "BadOperatorSignature": "the operator's consent is signed by {recovered}, not by {operator}",
    "StakeTooSmall": "a stake of {amount} tokens is below the minimum of {minimum}",
    "StakeTooLarge": "a stake of {amount} tokens is more than can be counted",
    "InsufficientStake": "{asked} tokens asked for, {active} are staked",
    "StillUnbonding": "the stake is locked until block time {releaseTime}; wait",
    "NothingToWithdraw": "{operator} has nothing to withdraw; unbond first",
    "NotSlasher": "{caller} may not slash",
    "ZeroAmount": "the amount is zero",
    # rewards
    "NotCoordinator": "{caller} is not the coordinator",
    "NothingToClaim": "{owner} has claimed all its rewards of task {task}",
    "NotDao": "{caller} is not the DAO's timelock; a proposal may",
    "TaskNotClosed": "task {task} is not closed",
    "StillClaimable": "owners may claim their rewards of task {task} until block time {until}; wait",
    "ExceedsEscrow": "task {task} would owe {total} tokens and holds {funded}",
    "TotalDecreased": "rewards of task {task} would fall from {previous} to {total} tokens",
    # OpenZeppelin
    "EnforcedPause": "paused by the DAO; wait until it is not",
    "OwnableUnauthorizedAccount": "{account} is not the owner; only the DAO's timelock may",
    "AccessControlUnauthorizedAccount": "{account} lacks the role {neededRole}; where members govern, it takes a proposal that they accept",
    "ERC20InsufficientBalance": "{sender} holds {balance} tokens and needs {needed}",
    "ERC20InsufficientAllowance": "{spender} may spend {allowance} tokens and needs {needed}; approve it first",
    "GovernorInsufficientProposerVotes": "a proposal needs {threshold} tokens of votes, {proposer} has {votes}; votes count once they are delegated, to oneself or another",
    "GovernorUnexpectedProposalState": "the proposal is {current}, this takes one that is {expectedStates}",
    "GovernorAlreadyCastVote": "{voter} has voted on this proposal, and a vote is final",
    "GovernorUnableToCancel": "{account} cannot withdraw it: only its proposer may, before voting begins",
    "TimelockInsufficientDelay": "a delay of {delay} s is below the timelock's {minDelay} s",
    "TimelockUnexpectedOperationState": "the timelock's operation {operationId} is not in the state for this",
}


# what the contracts expect of a rule, or of what rules depend on, by its name there
_REQUIREMENTS: Mapping[str, str] = {rule.solidity_name: rule.requirement for rule in TASK_RULES} | {
    "unbondingPeriod": "the periods of a round together, with resultPeriod twice, to be shorter than it; shorten one"
}


# numbers of refusals that are amounts of tokens, by their names in the contracts
_AMOUNTS = frozenset(
    ["allowance", "balance", "needed", "available", "stake", "bonds", "minimum", "amount", "asked", "active"]
) | {"total", "funded", "previous", "votes", "threshold"}
# IGovernor.ProposalState, in order
_STATES = ("pending", "active", "canceled", "defeated", "succeeded", "queued", "expired", "executed")
_NEW = "new"
_TWICE = "this very proposal was made before and is {current}; with another title or text it is another one"


def reverted(label: str, data: bytes, fallback: str = "") -> Reverted:
    """Return why the call named `label` was refused, by the revert's bytes; `fallback` is the node's own reason."""
    if not data:
        return Reverted(f"{label}: refused without a reason{f' ({fallback})' if fallback else ''}")
    try:
        name, arguments, sentence = _explain(data)
    except DecodeError:
        return Reverted(f"{label}: refused with {hex_of(data[:36])}, which is no error of these contracts")
    return Reverted(f"{label}: refused: {sentence} [{name}]", name, arguments)


def _explain(data: bytes) -> tuple[str, tuple[object, ...], str]:
    selector, body = data[:4], data[4:]
    if selector == _ERROR:
        arguments = decode(("string",), body, "Error")
        return "Error", arguments, str(arguments[0])
    if selector == _PANIC:
        arguments = decode(("uint256",), body, "Panic")
        return "Panic", arguments, f"the contract's arithmetic or memory failed, code {arguments[0]:#x}"
    refusal = refusals().get(selector)
    if refusal is None:
        raise DecodeError(f"selector {selector.hex()}: no error of these contracts")
    arguments = decode(refusal.types, body, refusal.name)
    shown = {
        name: _shown(name, value, name in _AMOUNTS)
        for name, value in zip(refusal.names, arguments, strict=True)
    }
    if refusal.name == "BadRules":
        shown["expected"] = _REQUIREMENTS.get(shown["what"], "another value")
    listed = ", ".join(f"{name} {value}" for name, value in shown.items())
    sentence = SENTENCES.get(refusal.name, listed or "no details")
    if shown.get("expectedStates") == _NEW:
        sentence = _TWICE
    return refusal.name, arguments, sentence.format(**shown)


def _shown(name: str, value: object, is_tokens: bool) -> str:
    if name == "expectedStates" and isinstance(value, bytes):  # a bit each, the first state's the lowest
        bits = int.from_bytes(value, "big")
        return " or ".join(state for place, state in enumerate(_STATES) if bits >> place & 1) or _NEW
    if name == "current" and isinstance(value, int):
        return _STATES[value] if value < len(_STATES) else str(value)
    if isinstance(value, bytes):
        return hex_of(value)
    if name == "phase" and isinstance(value, int):
        return Phase(value).name.capitalize()
    return format_tokens(value) if is_tokens and isinstance(value, int) else str(value)
