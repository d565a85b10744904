"""How the API itself is: health, metrics, the network's facts, and the stream of what changes."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response

from dao.api.forms import AddressText, Shown, WeiText
from dao.api.live import EventStream
from dao.api.problems import Problem, responses
from dao.api.services import Given, Services, caller
from dao.chain.deployment import ADDRESSES

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
    """How is decided."""

    voting_delay_seconds: int
    voting_period_seconds: int
    threshold_wei: WeiText
    quorum_percent: int
    timelock_delay_seconds: int


class Relay(Shown):
    """Who pays for members' signatures; `remaining_today` in wei of gas."""

    enabled: bool
    address: AddressText | None
    balance_wei: WeiText | None
    remaining_today: WeiText | None


class NetworkShown(Shown):
    """The network; amounts in wei of tokens but for the relayer's, which are ether."""

    chain_id: int
    name: str
    symbol: str
    contracts: Contracts
    governance: Governance
    relay: Relay
    treasury_wei: WeiText
    total_supply_wei: WeiText
    block: int
    timestamp: int
    stale: bool


@router.get("/health")
async def health(services: Given) -> Health:
    """Tell how far the index is. Always 200: reads go on without the chain's node."""
    return Health.model_validate(status_of(services) | {"chain_id": services.link.deployment.chain_id})


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: Given) -> Response:
    """Tell the operator's numbers, for Prometheus."""
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/network", responses=responses(503))
async def network(services: Given) -> NetworkShown:
    """Tell where the contracts are, how is decided, and who pays for signatures."""
    facts, relayer, deployment = services.facts.network, services.relayer, services.link.deployment
    if facts is None:
        raise Problem(
            503, "chain-unreachable", "the network was never read yet; try again soon", retry_after=2
        )
    relay = {
        "enabled": relayer is not None,
        "address": relayer and relayer.address,
        "balance_wei": relayer and relayer.balance,
        "remaining_today": relayer and relayer.remaining(),
    }
    return NetworkShown.model_validate(
        {
            "chain_id": deployment.chain_id,
            "name": facts.name,
            "symbol": facts.symbol,
            "contracts": {name: getattr(deployment, name) for name in ADDRESSES},
            "governance": {
                "voting_delay_seconds": facts.voting_delay,
                "voting_period_seconds": facts.voting_period,
                "threshold_wei": facts.threshold,
                "quorum_percent": facts.quorum_percent,
                "timelock_delay_seconds": facts.timelock_delay,
            },
            "relay": relay,
            "treasury_wei": facts.treasury,
            "total_supply_wei": facts.total_supply,
            "block": facts.block,
            "timestamp": facts.timestamp,
            "stale": services.stale,
        }
    )


@router.get(
    "/events",
    response_class=EventStream,
    status_code=200,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **responses(429, 503),
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


def status_of(services: Services) -> dict[str, object]:
    """How far the index is, for `health` and for listeners."""
    indexed = services.facts.network
    return {
        "status": "stale" if services.stale else "ok",
        "block": None if indexed is None else indexed.block,
        "indexed_block": None if indexed is None else indexed.block,
        "head_block": services.link.head,
        "timestamp": None if indexed is None else indexed.timestamp,
        "lag_seconds": None if indexed is None else max(0, int(time.time()) - indexed.timestamp),
        "stale": services.stale,
    }
