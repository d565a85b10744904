"""Logs of the contracts, as JSON-RPC gives them, read as events."""

from functools import cache
from typing import Any

from dao.chain.contract_table import CONTRACTS
from dao.chain.event_types import Event, SharedEvent
from dao.chain.events import ResultPosted, RulesChanged, TaskCreated
from dao.chain.interface import EventAbi, load
from dao.chain.structs import rules_of
from dao.core.types import Address, BlockNumber, Digest, Result, Timestamp
from dao.errors import RpcError


def get_topic(kind: type[Event]) -> Digest:
    """Return the first topic of an event's logs."""
    return next(topic for topic, (event, _) in _by_topic().items() if event is kind)


def decode_log(log: Any, timestamp: Timestamp) -> Event | None:
    """Read a log as an event; None for one without a class here, RpcError for a malformed log."""
    try:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        entry = _by_topic().get(Digest(topics[0])) if topics else None
        if entry is None:
            return None
        kind, abi = entry
        values = abi.decode(topics, bytes.fromhex(log["data"][2:]))
        place: tuple[Any, ...] = (
            BlockNumber(int(log["blockNumber"], 16)),
            Digest(bytes.fromhex(log["blockHash"][2:])),
            timestamp,
            int(log["logIndex"], 16),
            Digest(bytes.fromhex(log["transactionHash"][2:])),
        )
        if issubclass(kind, SharedEvent):
            place += (Address(bytes.fromhex(log["address"][2:])),)
    except (KeyError, TypeError, ValueError) as error:
        raise RpcError(f"log: not as JSON-RPC gives one: {error!r}") from error
    return kind(
        *place, *(_read(kind, name, value) for (name, _, _), value in zip(abi.fields, values, strict=True))
    )


def _read(kind: type[Event], name: str, value: Any) -> Any:
    if kind in (TaskCreated, RulesChanged) and name == "rules":
        return rules_of(value)
    return Result(*value) if kind is ResultPosted and name == "result" else value


@cache
def _by_topic() -> dict[Digest, tuple[type[Event], EventAbi]]:
    abis = ((kind, load(row.name).events[kind.__name__]) for row in CONTRACTS for kind in row.events)
    return {Digest(abi.topic): (kind, abi) for kind, abi in abis}
