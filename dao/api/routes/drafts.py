"""Drafting proposals: what one would do, before anyone signs it."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from dao.api.dependencies import Given
from dao.api.http.json_types import AddressText, Body, BytesText, NumberText, ReadAddress, Shown, WeiText
from dao.api.http.problems import Problem, responses
from dao.api.relay.relay_jobs import Space
from dao.api.routes.prepare import Prepared, next_nonce, prepared
from dao.chain.client import Chain
from dao.chain.governance import Governor
from dao.gov import drafts
from dao.gov.actions import proposal_id
from dao.gov.typed_data import TypedDataBuilder

router = APIRouter(tags=["prepare"])
DEADLINE_SECONDS = 3600  # of a signed proposal, in block time
MAX_ACTIONS = 10
_PROBLEMS = responses(413, 422, 429, 503)


class ActionForm(Body):
    """An action by its kind, and its fields."""

    kind: Annotated[str, Field(max_length=40, examples=["grant"])]
    fields: Annotated[dict[str, Any], Field(max_length=20, default_factory=dict)]


class DraftForm(Body):
    """A proposal to be."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=15_000)] = ""
    actions: Annotated[list[ActionForm], Field(min_length=1, max_length=MAX_ACTIONS)]


class ProposeForm(DraftForm):
    """A proposal, and who makes it."""

    account: ReadAddress


class DraftShown(Shown):
    """What a proposal does; the lists have an entry for each call, which may be more than the actions asked for."""

    description: str
    targets: list[AddressText]
    values: list[WeiText]
    calldatas: list[BytesText]
    proposal_id: NumberText
    words: list[str]
    warnings: list[str]


class ProposalShown(Shown):
    """What goes to /relay/propose beside the signature."""

    nonce: NumberText
    targets: list[AddressText]
    values: list[WeiText]
    calldatas: list[BytesText]
    description: str
    deadline: int


class PreparedProposal(Prepared):
    """As for other actions, and the proposal."""

    proposal: ProposalShown
    proposal_id: NumberText
    warnings: list[str]


@router.post("/drafts/preview", responses=_PROBLEMS)
async def preview(form: DraftForm, services: Given) -> DraftShown:
    """Preview a proposal: its calls, in words, and whether they would go through if made now."""
    made = await _drafted(services.link.chain(), form)
    return DraftShown.model_validate(
        {
            "description": made.description,
            "targets": made.actions.targets,
            "values": made.actions.values,
            "calldatas": made.actions.calldatas,
            "proposal_id": proposal_id(made.actions, made.description),
            "words": made.words,
            "warnings": made.warnings,
        }
    )


@router.post("/prepare/propose", responses=_PROBLEMS)
async def prepare_propose(form: ProposeForm, services: Given) -> PreparedProposal:
    """Prepare to propose."""
    chain = services.link.chain()
    made = await _drafted(chain, form)
    governor = Governor(chain)
    on_chain = await governor.nonce_of(form.account, chain.head())
    nonce = next_nonce(services, Space.GOVERNOR, form.account, on_chain)
    deadline = chain.head().timestamp + DEADLINE_SECONDS
    typed = await TypedDataBuilder(chain).build_proposal(
        form.account, made.actions, made.description, nonce, deadline
    )
    words = [f"Propose “{form.title}” to the DAO, which then decides by vote:", *made.words]
    base = prepared(chain, words, governor.propose(made.actions, made.description), typed)
    return PreparedProposal.model_validate(
        {
            **base.model_dump(),
            "proposal": {
                "nonce": base.nonce,
                "targets": made.actions.targets,
                "values": made.actions.values,
                "calldatas": made.actions.calldatas,
                "description": made.description,
                "deadline": deadline,
            },
            "proposal_id": proposal_id(made.actions, made.description),
            "warnings": made.warnings,
        }
    )


async def _drafted(chain: Chain, form: DraftForm) -> drafts.Draft:
    if "\n" in form.title:
        raise Problem(422, "invalid", "title: expected one line")
    wanted = [drafts.read(action.kind, action.fields) for action in form.actions]
    return await drafts.draft(chain, form.title, form.description, wanted)
