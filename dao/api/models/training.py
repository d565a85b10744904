"""Tasks, their rules and their rounds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AliasPath, BeforeValidator, Field, create_model

from dao.api.http.json_types import AddressText, DigestText, Micro, ResponseModel, WeiText
from dao.api.models.base import Answer, Page
from dao.api.models.cards import CardRefusal, ReadCard, Words
from dao.api.models.cases import Case
from dao.api.models.feed import Happening
from dao.chain.task_rules import TASK_RULES, Unit
from dao.core.types import Codec, Phase

_PHASES = Literal["open", "closed", "posted", "frozen", "finalized", "aborted", "void"]
NODE_STATUS = Literal[
    "ok", "late", "withheld", "invalid", "clipped", "gated", "unavailable", "passed", "absent", "forced"
]


def _show_phase(value: Any) -> Any:
    return value.name.lower() if isinstance(value, Phase) else value


PhaseText = Annotated[_PHASES, BeforeValidator(_show_phase)]


_RULE_TYPES: Mapping[Unit, Any] = {
    Unit.TOKENS: WeiText,
    Unit.ADDRESS: AddressText,
    Unit.DIGEST: DigestText,
    Unit.CODEC: Codec,
    Unit.YES_OR_NO: bool,
}

if TYPE_CHECKING:
    TaskRules = ResponseModel
else:
    TaskRules = create_model(
        "TaskRules",
        __base__=ResponseModel,
        __doc__="A task's rules: periods in seconds, amounts in wei of tokens.",
        **{
            rule.json_name: (
                _RULE_TYPES.get(rule.unit, int),
                Field(validation_alias=rule.name, description=f"{rule.help}."),
            )
            for rule in TASK_RULES
        },
    )


class Task(ResponseModel):
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
    card: ReadCard = None
    card_refused: CardRefusal = None
    rules: TaskRules


class TaskAnswer(Task, Answer):
    """One task."""


class TaskPage(Page):
    """Tasks, the newest first."""

    items: list[Task]


class Deadlines(ResponseModel):
    """The ends of a round's periods, in Unix seconds; null: not known yet, or over."""

    commit: int
    reveal: int | None
    result: int | None
    challenge: int | None
    resolve: int | None


def _of_manifest(name: str) -> Any:
    """A field that is null until the round's manifest is read."""
    return Field(None, validation_alias=AliasPath("manifest", name))


class Round(ResponseModel):
    """A round. The manifest's fields are null until it is read; metric and losses in millionths."""

    task: int
    round: int
    phase: PhaseText
    superlink: AddressText
    parent: int
    eligible: int = Field(description="Supernodes that may commit.")
    commits: int = Field(description="Closed commits; 0 while the round is open.")
    forced: int = Field(description="Commits that were made on chain.")
    passes: int = Field(description="Supernodes that sat the round out, and said so.")
    open_block: int
    opened_at: int
    closed_at: int | None
    posted_at: int | None
    ended_at: int | None
    deadlines: Deadlines
    seed: DigestText | None
    challenger: AddressText | None
    challenge: str | None = Field(description="The challenger's reason.")
    model: DigestText | None = Field(validation_alias="model_digest")
    manifest: DigestText | None = Field(validation_alias="manifest_digest")
    manifest_refused: str | None = Field(
        validation_alias="refusal",
        description="Why the manifest is not shown: it differs from what was posted.",
    )
    manifest_cid: str | None = _of_manifest("cid")
    model_cid: str | None = _of_manifest("model")
    base_model_cid: str | None = _of_manifest("base_model")
    shard: int | None = _of_manifest("shard")
    metric_name: Words | None = Field(
        None,
        validation_alias=AliasPath("manifest", "metric_name"),
        description="The app's metric that people read first; null where the round states none.",
    )
    metric_micro: int | None = Field(
        None,
        validation_alias=AliasPath("manifest", "metric"),
        description="Millionths of that metric of the new model on the round's shard, as the Superlink measured it; it decides no pay and no proof.",
    )
    loss_before_micro: Micro | None = _of_manifest("loss_before")
    loss_after_micro: Micro | None = _of_manifest("loss_after")
    loss_change_micro: Micro | None = _of_manifest("loss_change")
    budget_wei: WeiText | None = _of_manifest("budget")
    paid_wei: WeiText | None = _of_manifest("paid")
    refunded_wei: WeiText | None = _of_manifest("refunded")


class RoundNode(ResponseModel):
    """A Supernode in a round; without a manifest only eligible and forced ones are known."""

    operator: AddressText
    owner: AddressText
    status: NODE_STATUS | None
    stake_wei: WeiText | None = Field(validation_alias="stake")
    weight: int | None
    score_micro: Micro | None = Field(validation_alias="score")
    debt_micro: Micro | None = Field(validation_alias="debt")
    reward_wei: WeiText | None = Field(validation_alias="reward")
    reason: str = Field(description="In words, the reason for its score and reward.")


class ReportedNode(RoundNode):
    """A Supernode in a round, and what the Superlink says that it did, where this API reads its status stream."""

    reported: Literal["committed", "passed", "revealed"] | None = Field(
        description="What it did last. A word of the Superlink: the chain has it once commits close, and the result is posted."
    )
    reported_at: int | None


class RoundNodePage(Page):
    """The Supernodes of a round, by address."""

    items: list[ReportedNode]


class RoundAnswer(Round, Answer):
    """One round, with the first of its Supernodes, its cases, and the newest of its events."""

    is_reported: bool = Field(description="Whether this API reads the status stream of the task's Superlink.")
    nodes: list[ReportedNode]
    next_nodes: str | None = Field(description="The `cursor` for the others; null where these are all.")
    cases: list[Case] = Field(description="Disputes of its result, the newest first.")
    history: list[Happening] = Field(description="Its events on chain with their transactions, newest first.")


class RoundPage(Page):
    """Rounds, the newest first."""

    items: list[Round]


class Earnings(ResponseModel):
    """What a Supernode scored and earned, one value for each of `rounds`; null: it did not commit."""

    operator: AddressText | None = Field(description="Null: all others together.")
    score_micro: list[Micro | None] = Field(validation_alias="scores")
    reward_wei: list[WeiText | None] = Field(validation_alias="rewards")
    stake_wei: list[WeiText | None] = Field(validation_alias="stakes")


class EarningsAnswer(Answer):
    """Scores and rewards over the newest rounds whose manifests are known; a round that is not final may yet be void."""

    rounds: list[int]
    nodes: list[Earnings] = Field(description="Who earned most first.")
