"""`dao proposals`: list what the DAO is to decide and has decided, or show one proposal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from dao.chain.block_clock import format_time
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.deployment import Deployment
from dao.chain.governance import Governor, ProposalState
from dao.chain.governance_events import ProposalCreated
from dao.cli.chain_options import ChainOptions, open_chain
from dao.cli.chain_proposals import find_proposal, proposal_in, read_proposals
from dao.cli.dao_member import PublishedProposal
from dao.cli.option_groups import with_option_groups
from dao.cli.options import ApiOption, JsonOption, LastOption
from dao.cli.output import print_fields, print_json, print_table, printable
from dao.core.formats.reasons import format_tokens
from dao.core.types import Rules, TaskId, Timestamp, hex_of
from dao.errors import ConfigError
from dao.gov.describe import describe_calls
from dao.gov.schedule import OVER

STATES = tuple(state.name.lower() for state in ProposalState if state is not ProposalState.EXPIRED)
_FIELDS = (
    *("id", "state", "title", "proposer", "starts_at", "ends_at", "eta"),
    *("for_wei", "against_wei", "abstain_wei", "quorum_wei"),
)
_RulesOf = Callable[[TaskId], Awaitable[Rules]]
_SHOWN = 12  # digits of a number in a table


@with_option_groups
def command(
    proposal: Annotated[
        str | None,
        typer.Argument(metavar="PROPOSAL", help="Show this one whole: its number, or first digits of it."),
    ] = None,
    state: Annotated[str | None, typer.Option(help=f"Only those in this state: {', '.join(STATES)}.")] = None,
    last: LastOption = 20,
    api: ApiOption = None,
    *,
    network: ChainOptions,
    json: JsonOption = False,
) -> None:
    """List the DAO's proposals, the newest first; or show one: what it would do, the votes, the quorum, until when.

    Example: dao proposals --state active --api https://dao.example
    """
    if state is not None and state not in STATES:
        raise ConfigError(f"--state {state[:40]}: expected one of {' '.join(STATES)}")
    if proposal is not None:
        fields = asyncio.run(_read_from_chain(proposal, network) if api is None else _read(proposal, api))
        (print_json if json else _print)(fields)
        return
    rows = asyncio.run(_list_from_chain(state, last, network) if api is None else _list(state, last, api))
    if json:
        print_json(rows)
    else:
        none = "no proposal yet: dao propose" if state is None else f"no proposal is {state}"
        print_table([_row(row) for row in rows], none)


async def _list(state: str | None, last: int, url: str) -> list[dict[str, Any]]:
    from dao.cli.api_client import open_api

    rows: list[dict[str, Any]] = []
    async with open_api(url) as api:
        async for item in api.list_all("/proposals", state=state):
            rows.append({name: item[name] for name in _FIELDS})
            if len(rows) == last:
                break
    return rows


async def _list_from_chain(state: str | None, last: int, network: ChainOptions) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with open_chain(network) as chain:
        for event in await read_proposals(chain):
            row = await _fields(chain, event)
            if state in (None, row["state"]):
                rows.append(row)
            if len(rows) == last:
                break
    return rows


async def _read(digits: str, url: str) -> dict[str, Any]:
    from dao.cli import api_client as client

    async with client.open_api(url) as api:
        proposal = await client.find_proposal(api, digits)
        answer = await api.get(f"/proposals/{proposal.number}")
        fields = {name: answer[name] for name in _FIELDS}
        deployment, rules = await client.read_deployment(api), partial(client.read_rules, api)
        content = await _content(proposal, deployment, answer["state"], rules)
        return {**fields, **content}


async def _read_from_chain(digits: str, network: ChainOptions) -> dict[str, Any]:
    async with open_chain(network) as chain:
        event = await find_proposal(chain, digits)
        fields, rules = await _fields(chain, event), partial(Coordinator(chain).rules_of, at=chain.head())
        return {
            **fields,
            **await _content(proposal_in(event), chain.deployment, fields["state"], rules),
        }


async def _content(
    proposal: PublishedProposal, deployment: Deployment, state: str, rules: _RulesOf
) -> dict[str, Any]:
    """Its text and words; once it is over, the present rules are not those that it was to change."""
    words = await describe_calls(proposal.actions, deployment, None if state in OVER else rules)
    return {"description": proposal.description, "words": [f"- {line}" for line in words]}


async def _fields(chain: Chain, event: ProposalCreated) -> dict[str, Any]:
    """A proposal's fields as the API has them."""
    governor, at, number = Governor(chain), chain.head(), event.proposal_id
    tally = await governor.votes_on(number, at)
    # the contract has a quorum of past times only; before voting, the one of now is shown
    begins = Timestamp(min(event.vote_start, at.timestamp - 1))
    state = await governor.state_of(number, at)
    return {
        "id": str(number),
        "state": state.name.lower(),
        "title": proposal_in(event).title,
        "proposer": hex_of(event.proposer),
        "starts_at": event.vote_start,
        "ends_at": await governor.deadline_of(number, at),
        "eta": await governor.eta_of(number, at) or None,
        "for_wei": str(tally.in_favour),
        "against_wei": str(tally.against),
        "abstain_wei": str(tally.abstain),
        "quorum_wei": str(await governor.quorum_at(begins, at)),
    }


def _row(fields: Mapping[str, Any]) -> dict[str, object]:
    tally = (format_tokens(int(fields[f"{name}_wei"])) for name in ("for", "against", "abstain", "quorum"))
    names = "for", "against", "abstain", "quorum"
    return {
        "proposal": fields["id"][:_SHOWN],
        "state": fields["state"],
        **dict(zip(names, tally, strict=True)),
        "ends": format_time(fields["ends_at"]),
        "title": printable(fields["title"])[:60],
    }


def _print(fields: Mapping[str, Any]) -> None:
    row = _row(fields)
    eta = {"can be executed from": format_time(fields["eta"])} if fields["eta"] else {}
    print_fields(
        {
            **row,
            "proposal": fields["id"],
            "title": printable(fields["title"]),
            "proposer": fields["proposer"],
            "begins": format_time(fields["starts_at"]),
            **eta,
        }
    )
    lines: Sequence[str] = fields["words"]
    print("\nIt would:", *map(printable, lines), sep="\n")
    print("\nIts text:", *(printable(line) for line in fields["description"].splitlines()), sep="\n")
