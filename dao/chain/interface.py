"""The contracts' interfaces as codecs between Python values and ABI bytes: calls, results, logs, errors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi.codec import ABICodec
from eth_abi.decoding import AddressDecoder, StringDecoder
from eth_abi.exceptions import DecodingError, EncodingError
from eth_abi.registry import BaseEquals
from eth_abi.registry import registry as default_registry

from dao.chain.contract_table import CONTRACTS, PROVERS
from dao.core.engine.keccak import keccak256
from dao.errors import ChainError, DecodeError

FOLDER = Path(__file__).with_name("abi")  # written by script/abi


class _RawAddressDecoder(AddressDecoder):
    # 20 bytes, as everywhere in this project, not text
    decoder_fn = staticmethod(bytes)  # type: ignore[assignment]


_registry = default_registry.copy()  # type: ignore[no-untyped-call]
_registry.unregister_decoder("address")
_registry.register_decoder(
    BaseEquals("address"),  # type: ignore[no-untyped-call]
    _RawAddressDecoder,
    label="address",
)
_registry.unregister_decoder("string")
_registry.register_decoder(  # anyone may put bytes that are no text into a reason or a description
    BaseEquals("string"),  # type: ignore[no-untyped-call]
    StringDecoder(handle_string_errors="replace"),  # type: ignore[no-untyped-call]
    label="string",
)
_codec = ABICodec(_registry)


@dataclass(frozen=True, slots=True)
class FunctionAbi:
    """A function: `inputs` and `outputs` are ABI types, `names` the inputs' names."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *args: object) -> bytes:
        """Encode a call; DecodeError for arguments of other types."""
        return self.selector + encode(self.inputs, args, self.name)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Decode the result of a call: one value per output."""
        return decode(self.outputs, data, self.name)


@dataclass(frozen=True, slots=True)
class EventAbi:
    """An event; `topic` is its signature's hash, `fields` are (name, type, indexed)."""

    name: str
    topic: bytes
    fields: tuple[tuple[str, str, bool], ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> tuple[Any, ...]:
        """Decode a log of this event: one value per field, in Solidity's order."""
        plain = iter(decode([kind for _, kind, indexed in self.fields if not indexed], data, self.name))
        indexed_values = iter(topics[1:])
        try:
            return tuple(
                decode((kind,), next(indexed_values), self.name)[0] if indexed else next(plain)
                for _, kind, indexed in self.fields
            )
        except StopIteration as error:
            raise DecodeError(f"{self.name}: a log with {len(topics)} topics; expected more") from error


@dataclass(frozen=True, slots=True)
class ErrorAbi:
    """A custom error of a contract."""

    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """A contract: the code it is created from, its functions, events and errors."""

    name: str
    bytecode: bytes
    constructor: tuple[str, ...]
    functions: Mapping[str, FunctionAbi]
    events: Mapping[str, EventAbi]
    refusals: Mapping[bytes, ErrorAbi]

    def create(self, *args: object) -> bytes:
        """Encode the contract's creation with the arguments of its constructor."""
        return self.bytecode + encode(self.constructor, args, self.name)


@cache
def load(name: str) -> Interface:
    """Read the interface of one of CONTRACTS or PROVERS, by its name; ChainError when its file is missing."""
    path = FOLDER / f"{name}.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ChainError(f"{path.name}: no such interface; run script/abi") from error
    entries = fields["abi"]
    functions = [_function(entry) for entry in entries if entry["type"] == "function"]
    functions.sort(key=lambda function: -len(function.inputs))  # of several of one name, the shortest
    events = [_event(entry) for entry in entries if entry["type"] == "event"]
    constructor = [entry["inputs"] for entry in entries if entry["type"] == "constructor"]
    return Interface(
        name,
        bytes.fromhex(fields["bytecode"][2:]),
        _types(constructor[0] if constructor else ()),
        {function.name: function for function in functions},
        {event.name: event for event in events},
        dict(_refusal(entry) for entry in entries if entry["type"] == "error"),
    )


@cache
def refusals() -> Mapping[bytes, ErrorAbi]:
    """Return every custom error of every contract, by selector."""
    names = (*(row.name for row in CONTRACTS), *PROVERS)
    return {selector: error for name in names for selector, error in load(name).refusals.items()}


def encode(types: Sequence[str], args: Sequence[object], what: str) -> bytes:
    """Encode values by ABI types; DecodeError names `what`."""
    try:
        return _codec.encode(types, args)
    except (EncodingError, TypeError, ValueError) as error:
        raise DecodeError(f"{what}: expected arguments ({', '.join(types)}): {error}") from error


def decode(types: Sequence[str], data: bytes, what: str) -> tuple[Any, ...]:
    """Decode values by ABI types; DecodeError names `what`."""
    try:
        return _codec.decode(types, data)
    except (DecodingError, OverflowError) as error:
        raise DecodeError(f"{what}: expected ({', '.join(types)}): {error}") from error


def _type(entry: Mapping[str, Any]) -> str:
    """A type as ABI writes it, structs as tuples."""
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(_type, entry['components']))}){kind[len('tuple') :]}"


def _types(entries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(map(_type, entries))


def _signature(entry: Mapping[str, Any]) -> bytes:
    return keccak256(f"{entry['name']}({','.join(_types(entry['inputs']))})".encode())


def _function(entry: Mapping[str, Any]) -> FunctionAbi:
    return FunctionAbi(
        entry["name"], _signature(entry)[:4], _types(entry["inputs"]), _types(entry["outputs"])
    )


def _event(entry: Mapping[str, Any]) -> EventAbi:
    fields = tuple((field["name"], _type(field), field["indexed"]) for field in entry["inputs"])
    return EventAbi(entry["name"], _signature(entry), fields)


def _refusal(entry: Mapping[str, Any]) -> tuple[bytes, ErrorAbi]:
    names = tuple(field["name"] for field in entry["inputs"])
    return _signature(entry)[:4], ErrorAbi(entry["name"], names, _types(entry["inputs"]))
