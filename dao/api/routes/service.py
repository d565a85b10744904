"""Answers about the service itself: health, metrics, the network, and the stream of changes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field

from dao.api.dependencies import Deps, get_caller
from dao.api.http.json_types import AddressText, ResponseModel, WeiText
from dao.api.http.problems import Problem, describe_problems, describe_read
from dao.api.live.sse import EventStream
from dao.api.models.base import Answer

router = APIRouter(tags=["network"])
_RETRY = 5  # seconds


class Health(ResponseModel):
    """`ok` while the index follows the chain; `stale` while the chain's node is away or the index behind."""

    status: Literal["ok", "stale"]
    indexed_block: int | None
    head_block: int | None
    timestamp: int | None
    lag_seconds: int | None
    stale: bool
    chain_id: int


class Ready(ResponseModel):
    """Everything works."""

    ready: Literal[True]


class Contracts(ResponseModel):
    """The addresses of the contracts."""

    token: AddressText
    registry: AddressText
    coordinator: AddressText
    distributor: AddressText
    forced_reveals: AddressText
    disputes: AddressText
    gradient_vote: AddressText
    timelock: AddressText
    voting_power: AddressText
    governor: AddressText


class Governance(ResponseModel):
    """The settings of votes. `quorum_wei` is that of a proposal whose votes counted as of now."""

    voting_delay_seconds: int = Field(validation_alias="voting_delay")
    voting_period_seconds: int = Field(validation_alias="voting_period")
    late_extension_seconds: int = Field(validation_alias="late_extension")
    threshold_wei: WeiText = Field(validation_alias="threshold")
    quorum_percent: int
    quorum_wei: WeiText = Field(validation_alias="quorum")
    timelock_delay_seconds: int = Field(validation_alias="timelock_delay")


class Relay(ResponseModel):
    """The relayer, which pays for members' signatures; `remaining_today` in wei of gas."""

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
    treasury_wei: WeiText = Field(validation_alias="treasury")
    total_supply_wei: WeiText = Field(validation_alias="supply")
    tasks_paused: bool = Field(description="Whether new tasks, members and rounds are stopped.")
    staking_paused: bool


@router.get("/health", name="health", responses=describe_problems(429))
async def read_health(deps: Deps) -> Health:
    """Read how far the index is. Always 200: reads go on without the chain's node."""
    return Health.model_validate(deps.get_status() | {"chain_id": deps.chain_connection.deployment.chain_id})


@router.get("/ready", name="ready", responses=describe_problems(429, 503))
async def read_ready(deps: Deps) -> Ready:
    """Read whether everything works that this API is set to do; 503 says what does not yet, or no more."""
    if deps.stale:
        raise Problem(
            503, "not-ready", "the chain's node is away, or the index is behind it", retry_after=_RETRY
        )
    if deps.settings.relay.enabled and deps.relayer is None:
        raise Problem(503, "not-ready", "the relayer has not begun", retry_after=_RETRY)
    return Ready(ready=True)


@router.get(
    "/metrics",
    name="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **describe_problems(429)},
)
async def read_metrics(deps: Deps) -> Response:
    """Read the operator's metrics, for Prometheus."""
    return Response(deps.metrics.dump(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/network", name="network", responses=describe_read())
async def read_network(deps: Deps) -> NetworkShown:
    """Read the network: its contracts, the settings of its votes, and the relayer."""
    names, relayer, deployment = deps.token_names, deps.relayer, deps.chain_connection.deployment
    if names is None:
        raise Problem(
            503, "not-indexed", "nothing was read from the chain yet; try again soon", retry_after=2
        )
    record, as_of = await deps.read(lambda reads: reads.get_network(deployment))
    relay = {
        "enabled": relayer is not None,
        "address": relayer and relayer.address,
        "balance_wei": relayer and relayer.balance,
        "remaining_today": relayer and relayer.get_remaining(),
    }
    return NetworkShown.of(
        record,
        as_of,
        chain_id=deployment.chain_id,
        name=names.name,
        symbol=names.symbol,
        contracts=deployment,
        governance=record,
        relay=relay,
    )


@router.get(
    "/events",
    name="events",
    response_class=EventStream,
    status_code=200,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **describe_problems(422, 429, 503),
    },
)
async def stream_events(
    request: Request,
    deps: Deps,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
) -> EventStream:
    """Listen to changes as server-sent events: round, proposal, vote, task, supernode, account, reorg, status."""
    listener = deps.event_hub.listen(get_caller(request), last_event_id, deps.get_status())
    return EventStream(deps.event_hub, listener)
