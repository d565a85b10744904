"""Cases: disputes of rounds."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from dao.api.http.json_types import AddressText, DigestText, ResponseModel, WeiText
from dao.api.models.base import Extended, Page
from dao.chain.deployment import Deployment
from dao.index.case_reducer import CaseKind, Verdict
from dao.index.reads.records import CaseRecord


class Case(ResponseModel):
    """A dispute of a round. `number` counts from 1 in its round; all but an equivocation accuse the round's Superlink."""

    task: int
    round: int
    number: int
    kind: CaseKind = Field(
        description="`challenge`: for a bond, until the DAO decides. `proof`: shown wrong on chain. "
        "`concession`: taken back by its own Superlink, which nobody had accused on chain. `demand`: somebody wants a leaf "
        "that the result binds to be shown on chain. `equivocation`: a Supernode signed two commits; the round stays as it was. "
        "`gradient`: jurors vote whether the result's gradients are those of the app."
    )
    accuser: AddressText
    accused: AddressText
    subject: str = Field(
        description="What a demand wants: a leaf as `dao challenge --demand` names it, such as `rows:3`; else empty."
    )
    reason: str = Field(description="The accuser's words; empty without any.")
    prover: AddressText | None = Field(description="The contract that the result was shown wrong to.")
    prover_name: str | None = Field(description="Its name, where it is one of this network's file.")
    claim: int | None = Field(description="What was claimed: a number of docs/disputes.md, by the prover.")
    accuser_stake_wei: WeiText | None = Field(
        validation_alias="accuser_stake",
        description="The accuser's bond, lost where the DAO or the jurors reject.",
    )
    accused_stake_wei: WeiText | None = Field(
        validation_alias="accused_stake",
        description="The Superlink's bond, lost where the result is proved or voted wrong, or a demand not answered.",
    )
    bond_wei: WeiText | None = Field(
        validation_alias="bond",
        description="A demand's bond, in wei of the chain's coin and not of the DAO's token; it goes to whoever answers, else to "
        "whoever has the round voided for it, or back.",
    )
    slashed_wei: WeiText | None = Field(validation_alias="slashed", description="What the accused lost.")
    paid_wei: WeiText | None = Field(validation_alias="paid", description="The accuser's part of it.")
    turn: Annotated[
        Literal["dao", "superlink", "jurors"] | None,
        Field(description="Whose move it is; null once the case or the round is over."),
    ]
    turn_ends_at: int | None
    opened_at: int
    opened_tx: DigestText
    verdict: Verdict | None = Field(
        description="How it ended; null while it is open. By `upheld`, `proven`, `conceded`, `undecided`, `parent_void`, "
        "`unanswered` and `voted_wrong` the round is void, except that a Supernode's equivocation is `proven` and leaves the round as it was. "
        "With `rejected`, `answered` (the leaf was shown), `voted_right` and `no_majority` it stands; a demand or a vote `lapsed` "
        "where the round was over first."
    )
    ended_at: int | None
    ended_tx: DigestText | None


class CasePage(Page):
    """Cases, the newest first."""

    items: list[Case]


def name_provers(cases: Iterable[CaseRecord], deployment: Deployment) -> list[Extended]:
    """Add to each case the name of its prover, by the network's file."""
    names = {address: name for name, address in deployment.provers.items()}
    return [Extended(case, prover_name=case.prover and names.get(case.prover)) for case in cases]
