"""The rules of a task, a row each: the one place where commands, API, words and errors learn what a rule is.

A further rule is a field of `dao.core.types.Rules`, a field of the contract's struct at the same place, and a row here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dao.core.types import Codec


class Unit(StrEnum):
    """What a rule's value counts, or is."""

    SECONDS = "seconds"
    TOKENS = "tokens"  # wei in the record
    COMMITS = "commits"
    PERCENT = "percent"
    COUNT = "count"
    ADDRESS = "address"
    DIGEST = "digest"
    CODEC = "codec"
    YES_OR_NO = "yes or no"

    @property
    def suffix(self) -> str:
        """What follows the rule's name in JSON."""
        return {Unit.SECONDS: "_seconds", Unit.TOKENS: "_wei", Unit.PERCENT: "_percent"}.get(self, "")


@dataclass(frozen=True, slots=True)
class TaskRule:
    """A rule: a field of `Rules`.

    `label` names it within a sentence, and `help` says in one what it is for. `requirement` is what the contracts expect
    of it (contracts/coordinator/RuleBook.sol). `default` is that of `dao task create` in people's units; None: it has no option
    of its own.
    """

    name: str
    unit: Unit
    label: str
    help: str
    requirement: str
    is_changeable: bool  # by a vote, for the rounds that open from then on
    default: int | str | bool | None = None

    @property
    def json_name(self) -> str:
        """Its name in JSON, with its unit."""
        return self.name + self.unit.suffix

    @property
    def solidity_name(self) -> str:
        """Its name in the contracts: commitPeriod."""
        first, *others = self.name.split("_")
        return first + "".join(map(str.capitalize, others))


_HOUR, _DAY = 3600, 86_400
_PERIOD = "at least 1 second"
_FIXED = "the same for the whole life of a task"
_CODECS = " or ".join(f"{codec.number} ({codec})" for codec in Codec)
_NOT_ZERO = f"one that is not zero, {_FIXED}"
_SUPERLINK = "an address other than zero; another Superlink takes over by replaceSuperlink alone"
_CHALLENGE = "more than zero, or anyone could freeze results for nothing"

# fmt: off
TASK_RULES = (
    # name, unit, label, help, requirement, is_changeable, default
    TaskRule("round_budget", Unit.TOKENS, "budget per round", "Most that a round pays out", "more than zero", True, "1000"),
    TaskRule("commit_period", Unit.SECONDS, "time to commit", "Time to train and commit", _PERIOD, True, _HOUR),
    TaskRule("reveal_period", Unit.SECONDS, "time to reveal", "Time to reveal", _PERIOD, True, _HOUR // 2),
    TaskRule("result_period", Unit.SECONDS, "time for the result", "Time for the result, after the reveals", _PERIOD, True, _HOUR),
    TaskRule("challenge_period", Unit.SECONDS, "time to challenge a result", "Time in which a result can be challenged", _PERIOD, True, _DAY),
    TaskRule("resolve_period", Unit.SECONDS, "time to decide a challenge", "Time for the DAO to decide a challenge, longer than a proposal takes", _PERIOD, True, 4 * _DAY),
    TaskRule("quorum", Unit.COMMITS, "least number of commits", "Commits that a round needs", f"1 to {1 << 20:,} Supernodes", True, 3),
    TaskRule("close_after", Unit.SECONDS, "least time to commit", "Time from which on commits close once --close-share of the eligible have committed; 0: half of the time to commit", "at least 1 second, at most commitPeriod", True, 0),
    TaskRule("close_share", Unit.PERCENT, "part of the eligible that is enough", "Part of the eligible whose commits are enough to close before the time to commit is over; 100: all", "1 to 100", True, 100),
    TaskRule("max_in_flight", Unit.COUNT, "most undecided rounds", "Most rounds that are undecided at a time", "1 to 1,024", True, 256),
    TaskRule("min_stake", Unit.TOKENS, "least stake of a Supernode", "Stake that a Supernode needs to take part", "more than zero and at least the registry's minimum stake", True, "1"),
    TaskRule("max_stake", Unit.TOKENS, "most stake that counts", "Stake from which more gives no more weight", "at least minStake", True, "1000"),
    TaskRule("superlink_bond", Unit.TOKENS, "bond of the Superlink", "Stake that the Superlink needs", "any amount", True, "500"),
    TaskRule("challenge_bond", Unit.TOKENS, "bond of a challenge", "Stake of a challenge, not 0", _CHALLENGE, True, "500"),
    TaskRule("card", Unit.DIGEST, "card", "Digest of the card: name, purpose, data, metric, settings of the app", "one that is not zero", True),
    TaskRule("superlink", Unit.ADDRESS, "Superlink", "Operator of the Superlink", _SUPERLINK, False),
    TaskRule("app_hash", Unit.DIGEST, "app", "Digest of the app's bundle", _NOT_ZERO, False),
    TaskRule("base_model", Unit.DIGEST, "base model", "Digest of the first model", _NOT_ZERO, False),
    TaskRule("validation_root", Unit.DIGEST, "validation data", "Root over the validation shards", _NOT_ZERO, False),
    TaskRule("chunks", Unit.COUNT, "chunks of the model", "Chunks of 256 values that the model has", f"1 to 2^bodyDepth, {_FIXED}", False),
    TaskRule("scored_chunks", Unit.COUNT, "scored chunks of the model", "Chunks of trained parameters, the first ones: scores are of them alone", f"1 to chunks, all of them where the codec is {Codec.TOPK}, {_FIXED}", False),
    TaskRule("base_model_root", Unit.DIGEST, "chunks of the base model", "Root over the chunks of the first model", _NOT_ZERO, False),
    TaskRule("shards", Unit.COUNT, "shards", "Validation shards, one of which each round uses up", f"1 to {1 << 16:,}, {_FIXED}", False),
    TaskRule("body_depth", Unit.COUNT, "body depth", "Depth of the tree over an update's chunks", f"1 to 24, {_FIXED}", False),
    TaskRule("codec", Unit.CODEC, "codec", "How updates are encoded", f"{_CODECS}, {_FIXED}", False, "int8"),
    TaskRule("admitted_only", Unit.YES_OR_NO, "for admitted owners only", "Only for owners that the DAO admits, all equal", _FIXED, False, False),
)
# fmt: on
RULES_BY_NAME: Mapping[str, TaskRule] = {rule.name: rule for rule in TASK_RULES}
