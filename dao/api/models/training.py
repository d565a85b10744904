"""Tasks, their rules and their rounds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from dao.api.http.json_types import AddressText, DigestText, Micro, Shown, WeiText
from dao.api.models.base import Answer, Page
from dao.chain.task_rules import TASK_RULES, Unit
from dao.core.types import Codec, Phase
from dao.index.reads import records

_PHASES = Literal["open", "closed", "posted", "frozen", "finalized", "aborted", "void"]
NODE_STATUS = Literal["ok", "late", "withheld", "invalid", "clipped", "gated", "absent", "forced"]


def _phase(value: Any) -> Any:
    return value.name.lower() if isinstance(value, Phase) else value


PhaseText = Annotated[_PHASES, BeforeValidator(_phase)]


_RULE_TYPES: Mapping[Unit, Any] = {
    Unit.TOKENS: WeiText,
    Unit.ADDRESS: AddressText,
    Unit.DIGEST: DigestText,
    Unit.CODEC: Codec,
    Unit.YES_OR_NO: bool,
}

if TYPE_CHECKING:
    TaskRules = Shown
else:
    TaskRules = create_model(
        "TaskRules",
        __base__=Shown,
        __doc__="A task's rules: periods in seconds, amounts in wei of tokens.",
        **{
            rule.json_name: (
                _RULE_TYPES.get(rule.unit, int),
                Field(validation_alias=rule.name, description=f"{rule.help}."),
            )
            for rule in TASK_RULES
        },
    )


class Task(Shown):
    """A task. `head_round` is the newest round whose result stands, `finalized_round` the newest final one; 0: none."""

    task: int
    created_at: int
    closed: bool
    superlink: AddressText = Field(description="Of the next round.")
    funded_wei: WeiText = Field(validation_alias="funded")
    rewarded_wei: WeiText = Field(validation_alias="rewarded", description="Of final rounds.")
    claimed_wei: WeiText = Field(validation_alias="claimed")
    available_wei: WeiText = Field(
        validation_alias="available", description="In escrow, and promised to nobody."
    )
    active_nodes: int = Field(validation_alias="active")
    last_round: int
    head_round: int = Field(validation_alias="head")
    finalized_round: int = Field(validation_alias="finalized")
    in_flight: int = Field(description="Rounds that are not decided yet.")
    model: DigestText = Field(description="Of the head round's model, or the base model.")
    rules: TaskRules


class TaskAnswer(Task, Answer):
    """One task."""


class TaskPage(Page):
    """Tasks, the newest first."""

    items: list[Task]


class Deadlines(Shown):
    """When what a round waits for ends, in Unix seconds; null: not known yet, or over with."""

    commit: int
    reveal: int | None
    result: int | None
    force: int | None
    challenge: int | None
    resolve: int | None


class Round(Shown):
    """A round. What the manifest says is null until it is read; losses in millionths."""

    task: int
    round: int
    phase: PhaseText
    superlink: AddressText
    parent: int
    eligible: int = Field(description="Supernodes that may commit.")
    commits: int = Field(description="Closed commits; 0 while the round is open.")
    forced: int = Field(description="Commits that were made on chain.")
    contested: int = Field(description="Forced commits that the result lacks.")
    open_block: int
    opened_at: int
    closed_at: int | None
    posted_at: int | None
    ended_at: int | None
    deadlines: Deadlines
    seed: DigestText | None
    challenger: AddressText | None
    challenge: str | None = Field(description="What the challenger says.")
    model: DigestText | None
    manifest: DigestText | None
    manifest_refused: str | None = Field(
        validation_alias="refusal",
        description="Why the posted manifest is not shown: it is not what was posted.",
    )
    manifest_cid: str | None = None
    model_cid: str | None = None
    base_model_cid: str | None = None
    shard: int | None = None
    loss_before_micro: Micro | None = None
    loss_after_micro: Micro | None = None
    loss_change_micro: Micro | None = None
    budget_wei: WeiText | None = None
    paid_wei: WeiText | None = None
    refunded_wei: WeiText | None = None

    @classmethod
    def fields_of(cls, view: records.RoundRecord) -> dict[str, Any]:
        """What is shown of a round."""
        names = set(cls.model_fields) - {"manifest", "model", "manifest_refused"}
        found = {name: getattr(view, name) for name in names if hasattr(view, name)}
        posted, made = view.result, view.manifest
        found |= {
            "model": posted and posted.model_digest,
            "manifest": posted and posted.manifest_digest,
            "refusal": view.refusal,
        }
        if made is None:
            return found
        return found | {
            "manifest_cid": made.cid,
            "model_cid": made.model,
            "base_model_cid": made.base_model,
            "shard": made.shard,
            "loss_before_micro": made.loss_before,
            "loss_after_micro": made.loss_after,
            "loss_change_micro": made.loss_after - made.loss_before,
            "budget_wei": made.budget,
            "paid_wei": made.budget - made.refunded,
            "refunded_wei": made.refunded,
        }

    @classmethod
    def of(cls, view: records.RoundRecord) -> "Round":
        """Show a round."""
        return cls.model_validate(cls.fields_of(view))


class RoundNode(Shown):
    """A Supernode in a round; without a manifest only who may commit, and who has by force, is known."""

    operator: AddressText
    owner: AddressText
    status: NODE_STATUS | None
    stake_wei: WeiText | None = Field(validation_alias="stake")
    weight: int | None
    score_micro: Micro | None = Field(validation_alias="score")
    debt_micro: Micro | None = Field(validation_alias="debt")
    reward_wei: WeiText | None = Field(validation_alias="reward")
    reason: str = Field(description="In words, why it got what it got.")


class RoundNodePage(Page):
    """The Supernodes of a round, by address."""

    items: list[RoundNode]


class RoundAnswer(Round, Answer):
    """One round, with the first of its Supernodes."""

    nodes: list[RoundNode]
    next_nodes: str | None = Field(description="The `cursor` for the others; null where these are all.")


class RoundPage(Page):
    """Rounds, the newest first."""

    items: list[Round]
