"""Drafts proposals, and prepares them for signing."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from dao.api.dependencies import Deps
from dao.api.http.json_types import (
    AddressText,
    BytesText,
    DescriptionText,
    NumberText,
    ReadAddress,
    RequestModel,
    ResponseModel,
    TitleText,
    WeiText,
)
from dao.api.http.problems import Problem, describe_problems
from dao.api.models.action_schema import describe_actions
from dao.api.relay.relay_jobs import NonceSpace
from dao.api.routes.prepare import Prepared, get_next_nonce, make_prepared
from dao.chain.client import Chain
from dao.chain.governance import Governor
from dao.gov import drafts
from dao.gov.actions import compute_proposal_id
from dao.gov.typed_data import TypedDataBuilder

router = APIRouter(tags=["prepare"])
DEADLINE_SECONDS = 3600  # of a signed proposal, in block time
MAX_ACTIONS = 10
_PROBLEMS = describe_problems(413, 422, 429, 503)


def _describe_action_form(schema: dict[str, Any]) -> None:
    """Describe the fields of each kind in place of an object of anything."""
    about = schema["description"]
    schema.clear()
    schema |= {"title": "ActionForm", "description": about, "oneOf": describe_actions()}


class ActionForm(RequestModel):
    """An action by its kind, and its fields."""

    model_config = ConfigDict(json_schema_extra=_describe_action_form)

    kind: Annotated[str, Field(max_length=40, examples=["grant"])]
    fields: Annotated[dict[str, Any], Field(max_length=20, default_factory=dict)]


class DraftForm(RequestModel):
    """A proposal to be."""

    title: TitleText
    description: DescriptionText = ""
    actions: Annotated[list[ActionForm], Field(min_length=1, max_length=MAX_ACTIONS)]


class ProposeForm(DraftForm):
    """A proposal, and its proposer."""

    account: ReadAddress


class DraftShown(ResponseModel):
    """A draft; the lists have an entry for each call, which may be more than the actions of the request."""

    description: str
    targets: list[AddressText]
    values: list[WeiText]
    calldatas: list[BytesText]
    proposal_id: NumberText
    words: list[str]
    warnings: list[str]


class ProposalShown(ResponseModel):
    """The fields of a request to /relay/propose but for proposer and signature."""

    nonce: NumberText
    targets: list[AddressText]
    values: list[WeiText]
    calldatas: list[BytesText]
    description: str
    deadline: int


class PreparedProposal(Prepared):
    """As for other acts, and the proposal."""

    proposal: ProposalShown
    proposal_id: NumberText
    warnings: list[str]


@router.post("/drafts/preview", responses=_PROBLEMS)
async def preview(form: DraftForm, deps: Deps) -> DraftShown:
    """Preview a proposal: its calls, in words, and whether they would go through if made now."""
    draft = await _make_draft(deps.get_chain(), form)
    return DraftShown.model_validate(
        {
            "description": draft.description,
            "targets": draft.actions.targets,
            "values": draft.actions.values,
            "calldatas": draft.actions.calldatas,
            "proposal_id": compute_proposal_id(draft.actions, draft.description),
            "words": draft.words,
            "warnings": draft.warnings,
        }
    )


@router.post("/prepare/propose", responses=_PROBLEMS)
async def prepare_propose(form: ProposeForm, deps: Deps) -> PreparedProposal:
    """Prepare to propose."""
    chain = deps.get_chain()
    draft = await _make_draft(chain, form)
    governor = Governor(chain)
    on_chain = await governor.nonce_of(form.account, chain.head())
    nonce = get_next_nonce(deps, NonceSpace.GOVERNOR, form.account, on_chain)
    deadline = chain.head().timestamp + DEADLINE_SECONDS
    typed = await TypedDataBuilder(chain).build_proposal(
        form.account, draft.actions, draft.description, nonce, deadline
    )
    words = [f"Propose “{form.title}” to the DAO, which then decides by vote:", *draft.words]
    base = make_prepared(chain, words, governor.propose(draft.actions, draft.description), typed)
    return PreparedProposal.model_validate(
        {
            **base.model_dump(),
            "proposal": {
                "nonce": base.nonce,
                "targets": draft.actions.targets,
                "values": draft.actions.values,
                "calldatas": draft.actions.calldatas,
                "description": draft.description,
                "deadline": deadline,
            },
            "proposal_id": compute_proposal_id(draft.actions, draft.description),
            "warnings": draft.warnings,
        }
    )


async def _make_draft(chain: Chain, form: DraftForm) -> drafts.Draft:
    if "\n" in form.title:
        raise Problem(422, "invalid", "title: expected one line")
    actions = [drafts.read(action.kind, action.fields) for action in form.actions]
    return await drafts.draft(chain, form.title, form.description, actions)
