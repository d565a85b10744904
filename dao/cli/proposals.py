"""`dao proposals`: what is to be decided, and what was."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from dao.chain.block_clock import moment
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator
from dao.chain.deployment import Deployment
from dao.chain.governance import Governor, ProposalState
from dao.chain.governance_events import ProposalCreated
from dao.cli.chain_options import (
    DEPLOYMENT_DEFAULT,
    RPC_DEFAULT,
    DeploymentOption,
    JsonOption,
    RpcOption,
    connected,
)
from dao.cli.member import Found, plain, words_of
from dao.cli.output import amount, print_fields, print_json, print_table
from dao.cli.paid_member import found_of, proposal_of, proposals_of
from dao.core.errors import ConfigError
from dao.core.types import Rules, TaskId, Timestamp, hex_of
from dao.gov.schedule import OVER

STATES = tuple(state.name.lower() for state in ProposalState if state is not ProposalState.EXPIRED)
_FIELDS = (
    *("id", "state", "title", "proposer", "starts_at", "ends_at", "eta"),
    *("for_wei", "against_wei", "abstain_wei", "quorum_wei"),
)
_RulesOf = Callable[[TaskId], Awaitable[Rules]]
_SHOWN = 12  # digits of a number in a table


def command(
    proposal: Annotated[
        str | None,
        typer.Argument(metavar="PROPOSAL", help="Show this one whole: its number, or first digits of it."),
    ] = None,
    state: Annotated[str | None, typer.Option(help=f"Only those in this state: {', '.join(STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest to list.")] = 20,
    api: Annotated[
        str | None,
        typer.Option(
            "--api", envvar="COMMONWEIGHT_API_URL", help="Ask the API at this address instead of the chain."
        ),
    ] = None,
    rpc: RpcOption = RPC_DEFAULT,
    deployment: DeploymentOption = DEPLOYMENT_DEFAULT,
    json: JsonOption = False,
) -> None:
    """List the DAO's proposals, the newest first; or show one: what it would do, the votes, the quorum, until when.

    Example: dao proposals --state active --api https://dao.example
    """
    if state is not None and state not in STATES:
        raise ConfigError(f"--state {state[:40]}: expected one of {' '.join(STATES)}")
    if proposal is not None:
        whole = asyncio.run(_one(proposal, api, rpc, deployment))
        if json:
            print_json(whole)
        else:
            _print(whole)
        return
    rows = asyncio.run(_list(state, limit, api, rpc, deployment))
    if json:
        print_json(rows)
    else:
        none = "no proposal yet: dao propose" if state is None else f"no proposal is {state}"
        print_table([_row(row) for row in rows], none)


async def _list(state: str | None, limit: int, api: str | None, *where: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if api is not None:
        from dao.cli.relayed_member import reading

        async with reading(api) as source:
            async for item in source.everything("/proposals", state=state):
                found.append({name: item[name] for name in _FIELDS})
                if len(found) == limit:
                    break
        return found
    async with connected(*where) as chain:
        for event in await proposals_of(chain):
            told = await _told(chain, event)
            if state in (None, told["state"]):
                found.append(told)
            if len(found) == limit:
                break
    return found


async def _one(text: str, api: str | None, *where: Any) -> dict[str, Any]:
    if api is not None:
        from dao.cli.relayed_member import deployment_of, find, reading, rules_of

        async with reading(api) as source:
            found = await find(source, text)
            told = await source.get(f"/proposals/{found.number}")
            network = deployment_of(await source.get("/network"))
            shown = {name: told[name] for name in _FIELDS}
            return {**shown, **await _content(found, network, told["state"], partial(rules_of, source))}
    async with connected(*where) as chain:
        event = await proposal_of(chain, text)
        told, rules = await _told(chain, event), partial(Coordinator(chain).rules_of, at=chain.head())
        return {**told, **await _content(found_of(event), chain.deployment, told["state"], rules)}


async def _content(found: Found, network: Deployment, state: str, rules: _RulesOf) -> dict[str, Any]:
    """Its text and words; once it is over, the rules of now are not those that it was to change."""
    words = await words_of(found.actions, network, None if state in OVER else rules)
    return {"description": found.description, "words": [f"- {line}" for line in words]}


async def _told(chain: Chain, event: ProposalCreated) -> dict[str, Any]:
    """A proposal as the API tells it."""
    governor, at, number = Governor(chain), chain.head(), event.proposal_id
    tally = await governor.votes_on(number, at)
    begins = Timestamp(
        min(event.vote_start, at.timestamp - 1)
    )  # a quorum is of the past; before voting, as of now
    state = await governor.state_of(number, at)
    return {
        "id": str(number),
        "state": state.name.lower(),
        "title": found_of(event).title,
        "proposer": hex_of(event.proposer),
        "starts_at": event.vote_start,
        "ends_at": await governor.deadline_of(number, at),
        "eta": await governor.eta_of(number, at) or None,
        "for_wei": str(tally.in_favour),
        "against_wei": str(tally.against),
        "abstain_wei": str(tally.abstain),
        "quorum_wei": str(await governor.quorum_at(begins, at)),
    }


def _row(told: Mapping[str, Any]) -> dict[str, object]:
    tally = (amount(int(told[f"{name}_wei"])) for name in ("for", "against", "abstain", "quorum"))
    names = "for", "against", "abstain", "quorum"
    return {
        "proposal": told["id"][:_SHOWN],
        "state": told["state"],
        **dict(zip(names, tally, strict=True)),
        "ends": moment(told["ends_at"]),
        "title": plain(told["title"])[:60],
    }


def _print(told: Mapping[str, Any]) -> None:
    row = _row(told)
    eta = {"can be executed from": moment(told["eta"])} if told["eta"] else {}
    print_fields(
        {
            **row,
            "proposal": told["id"],
            "title": plain(told["title"]),
            "proposer": told["proposer"],
            "begins": moment(told["starts_at"]),
            **eta,
        }
    )
    lines: Sequence[str] = told["words"]
    print("\nIt would:", *map(plain, lines), sep="\n")
    print("\nIts text:", *(plain(line) for line in told["description"].splitlines()), sep="\n")
