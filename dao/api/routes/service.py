"""How the API itself is: health, metrics, the network's facts, and the stream of what changes."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field

from dao.api.dependencies import Dependencies, Given, caller
from dao.api.http.json_types import AddressText, Shown, WeiText
from dao.api.http.problems import Problem, read_responses, responses
from dao.api.live.sse import EventStream
from dao.api.models.base import Answer

router = APIRouter(tags=["network"])


class Health(Shown):
    """`ok` while the index follows the chain; `stale` while the chain's node is away or the index behind."""

    status: Literal["ok", "stale"]
    indexed_block: int | None
    head_block: int | None
    timestamp: int | None
    lag_seconds: int | None
    stale: bool
    chain_id: int


class Contracts(Shown):
    """Where the contracts are."""

    token: AddressText
    registry: AddressText
    coordinator: AddressText
    distributor: AddressText
    timelock: AddressText
    voting_power: AddressText
    governor: AddressText


class Governance(Shown):
    """How is decided. `quorum_wei`: what a proposal would need if its votes counted as of now."""

    voting_delay_seconds: int
    voting_period_seconds: int
    late_extension_seconds: int
    threshold_wei: WeiText
    quorum_percent: int
    quorum_wei: WeiText
    timelock_delay_seconds: int


class Relay(Shown):
    """Who pays for members' signatures; `remaining_today` in wei of gas."""

    enabled: bool
    address: AddressText | None
    balance_wei: WeiText | None
    remaining_today: WeiText | None


class NetworkShown(Answer):
    """The network; amounts in wei of tokens but for the relayer's, which are ether."""

    chain_id: int
    name: str
    symbol: str
    contracts: Contracts
    governance: Governance
    relay: Relay
    treasury_wei: WeiText
    total_supply_wei: WeiText
    tasks_paused: bool = Field(description="Whether new tasks, members and rounds are stopped.")
    staking_paused: bool


@router.get("/health", responses=responses(429))
async def health(services: Given) -> Health:
    """Tell how far the index is. Always 200: reads go on without the chain's node."""
    return Health.model_validate(status_of(services) | {"chain_id": services.link.deployment.chain_id})


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **responses(429)}
)
async def metrics(services: Given) -> Response:
    """Tell the operator's numbers, for Prometheus."""
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/network", responses=read_responses())
async def network(services: Given) -> NetworkShown:
    """Tell where the contracts are, how is decided, and who pays for signatures."""
    names, relayer, deployment = services.names, services.relayer, services.link.deployment
    if names is None:
        raise Problem(
            503, "not-indexed", "nothing was read from the chain yet; try again soon", retry_after=2
        )
    found, as_of = await services.read(lambda reads: reads.network(deployment))
    relay = {
        "enabled": relayer is not None,
        "address": relayer and relayer.address,
        "balance_wei": relayer and relayer.balance,
        "remaining_today": relayer and relayer.remaining(),
    }
    return NetworkShown.model_validate(
        {
            "chain_id": deployment.chain_id,
            "name": names.name,
            "symbol": names.symbol,
            "contracts": deployment,
            "governance": {
                "voting_delay_seconds": found.voting_delay,
                "voting_period_seconds": found.voting_period,
                "late_extension_seconds": found.late_extension,
                "threshold_wei": found.threshold,
                "quorum_percent": found.quorum_percent,
                "quorum_wei": found.quorum,
                "timelock_delay_seconds": found.timelock_delay,
            },
            "relay": relay,
            "treasury_wei": found.treasury,
            "total_supply_wei": found.supply,
            "tasks_paused": found.tasks_paused,
            "staking_paused": found.staking_paused,
            "as_of": as_of,
        }
    )


@router.get(
    "/events",
    response_class=EventStream,
    status_code=200,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **responses(422, 429, 503),
    },
)
async def events(
    request: Request,
    services: Given,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
) -> EventStream:
    """Listen to what changes, as server-sent events: round, proposal, vote, task, supernode, account, reorg, status."""
    listener = services.live.listen(caller(request), last_event_id, status_of(services))
    return EventStream(services.live, listener)


def status_of(services: Dependencies) -> dict[str, object]:
    """How far the index is, for `health` and for listeners."""
    at = services.index.at
    return {
        "status": "stale" if services.stale else "ok",
        "block": at and at.number,
        "indexed_block": at and at.number,
        "head_block": services.link.head,
        "timestamp": at and at.timestamp,
        "lag_seconds": at and max(0, int(time.time()) - at.timestamp),
        "stale": services.stale,
    }
