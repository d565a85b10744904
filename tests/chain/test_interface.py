"""The codecs against web3's, and the Python names against the contracts'."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hexbytes import HexBytes
from web3 import Web3

from dao.api.routes.service import Contracts
from dao.chain import events
from dao.chain.contract_table import CONTRACTS, FIELDS, PROVERS, ContractRow
from dao.chain.contracts import Contract, Votes
from dao.chain.deployment import ADDRESSES, Deployment
from dao.chain.event_codec import decode_log, get_topic
from dao.chain.event_types import Event, SharedEvent
from dao.chain.gradient_votes import GradientVotes
from dao.chain.interface import FOLDER, load, refusals
from dao.chain.interface import encode as encode_values
from dao.chain.reverts import SENTENCES, reverted
from dao.chain.structs import rules_fields, rules_of
from dao.core.types import Address, Digest, Result, Rules, Timestamp
from dao.errors import ChainError, DecodeError, RpcError
from tests.support import RULES

RENAMED = {"from": "sender", "to": "receiver"}
SOURCES = Path(__file__).parents[2] / "contracts"
INTERFACES = {path.stem: path.read_text() for path in (SOURCES / "interfaces").glob("*.sol")}
# the coordinator's interface is put together from these
PARTS = ("ITasks", "IMembers", "IRounds", "IForcedCommits", "IChallenges")


def snake(name: str) -> str:
    return RENAMED.get(name, re.sub(r"([A-Z])", r"_\1", name).lower())


def split(kinds: str) -> list[str]:
    """The types of a struct's fields, each of which may be a struct."""
    parts, depth = [""], 0
    for letter in kinds:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def sample(kind: str, number: int = 3) -> Any:
    """A value of an ABI type."""
    if kind.endswith("[]"):
        return [sample(kind[:-2], number + i) for i in range(3)]
    if kind.startswith("("):
        parts = split(kind[1:-1])
        return tuple(sample(part, number + i) for i, part in enumerate(parts))
    if kind == "address":
        return bytes([number]) * 20
    if kind.startswith("bytes"):
        return bytes([number]) * int(kind[5:] or 50)
    if kind in {"string", "bool"}:
        return "words" if kind == "string" else True
    return 1 if kind == "uint8" else number


def as_web3(value: Any) -> Any:
    """web3 takes addresses as checksummed text."""
    if isinstance(value, bytes) and len(value) == 20:
        return Web3.to_checksum_address(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(as_web3, value))
    return value


def flat(value: Any) -> Any:
    """Values without the difference between our addresses and web3's, and between its structs and tuples."""
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    if isinstance(value, dict):
        return tuple(map(flat, value.values()))
    return tuple(map(flat, value)) if isinstance(value, (list, tuple)) else value


def own_fields(kind: type[Event]) -> list[str]:
    """The fields that are the contract's, after the place on the chain."""
    base = SharedEvent if issubclass(kind, SharedEvent) else Event
    return [field.name for field in fields(kind)[len(fields(base)) :]]


def test_contract_table__its_rows__are_all_that_there_is() -> None:
    assert tuple(field.name for field in fields(Deployment) if field.type is Address) == ADDRESSES
    assert tuple(Contracts.model_fields) == ADDRESSES
    assert {*FIELDS, *PROVERS} == {path.stem for path in FOLDER.glob("*.json")}
    assert sorted(PROVERS) == sorted(path.stem for path in SOURCES.glob("provers/?*Prover.sol"))
    classes = [*Contract.__subclasses__(), *Votes.__subclasses__()]
    assert GradientVotes in classes
    assert set(FIELDS) == {kind.name for kind in classes if kind is not Votes}


@pytest.mark.parametrize("name", FIELDS)
def test_functions__every_one__encoded_as_by_web3(name: str) -> None:
    oracle = Web3().eth.contract(abi=json.loads((FOLDER / f"{name}.json").read_text())["abi"])
    for function in load(name).functions.values():
        args = [sample(kind) for kind in function.inputs]
        signature = f"{function.name}({','.join(function.inputs)})"
        expected = oracle.encode_abi(signature, args=[as_web3(arg) for arg in args])
        assert function.encode(*args).hex() == expected[2:], function.name


@pytest.mark.parametrize("row", CONTRACTS, ids=FIELDS)
def test_events__every_class__decoded_as_by_web3(row: ContractRow) -> None:
    oracle = Web3().eth.contract(abi=json.loads((FOLDER / f"{row.name}.json").read_text())["abi"])
    for kind in row.events:
        codec = load(row.name).events[kind.__name__]
        values = [sample(type_, 1) for _, type_, _ in codec.fields]
        topics = [codec.topic] + [
            encode_values((type_,), (value,), "topic")
            for (_, type_, indexed), value in zip(codec.fields, values, strict=True)
            if indexed
        ]
        plain = [(t, v) for (_, t, indexed), v in zip(codec.fields, values, strict=True) if not indexed]
        data = encode_values([t for t, _ in plain], [v for _, v in plain], "data")
        log = {
            "topics": ["0x" + topic.hex() for topic in topics],
            "data": "0x" + data.hex(),
            "blockNumber": "0x5",
            "blockHash": "0x" + "11" * 32,
            "logIndex": "0x2",
            "transactionHash": "0x" + "22" * 32,
            "address": "0x" + "33" * 20,
        }
        event = decode_log(log, Timestamp(9))
        assert type(event) is kind
        assert (event.block, event.timestamp, event.log_index, event.block_hash) == (5, 9, 2, b"\x11" * 32)
        assert not isinstance(event, SharedEvent) or event.contract == b"\x33" * 20
        ours = [getattr(event, name) for name in own_fields(kind)]
        told = oracle.events[kind.__name__]().process_log(
            {
                **log,
                "topics": [HexBytes(t) for t in topics],
                "data": HexBytes(data),
                "blockNumber": 5,
                "logIndex": 2,
                "transactionIndex": 0,
                "blockHash": HexBytes("11" * 32),
                "transactionHash": HexBytes("22" * 32),
            }
        )
        theirs = [told["args"][name] for name, _, _ in codec.fields]
        for mine, other in zip(ours, theirs, strict=True):
            if isinstance(mine, Rules):
                assert rules_fields(mine) == flat(other)
            elif isinstance(mine, Result):
                assert tuple(getattr(mine, field.name) for field in fields(Result)) == flat(other)
            else:
                assert mine == flat(other), kind


@pytest.mark.parametrize("row", CONTRACTS, ids=FIELDS)
def test_events__every_class__has_the_contracts_fields_in_order(row: ContractRow) -> None:
    for kind in row.events:
        expected = [snake(name) for name, _, _ in load(row.name).events[kind.__name__].fields]
        assert own_fields(kind) == expected


@pytest.mark.parametrize("row", CONTRACTS, ids=FIELDS)
def test_events__every_one_of_ours__has_a_class(row: ContractRow) -> None:
    parts = PARTS if row.name == "TrainingCoordinator" else (f"I{row.name}",)
    text = "".join(INTERFACES.get(name, "") for name in parts)
    declared = set(re.findall(r"^\s+event (\w+)\(", text, re.MULTILINE))
    assert declared <= {kind.__name__ for kind in row.events}


@pytest.mark.parametrize(("kind", "struct"), [(Rules, "TaskRules"), (Result, "Result")])
def test_structs__python_and_solidity__have_the_same_fields_in_order(kind: type, struct: str) -> None:
    text = "".join(INTERFACES.values())
    (body,) = re.findall(rf"struct {struct} {{(.*?)}}", text, re.DOTALL)
    names = re.findall(r"^\s+\w+ (\w+);", body, re.MULTILINE)
    assert [field.name for field in fields(kind)] == [snake(name) for name in names]


def test_rules__to_the_abi_and_back__the_same() -> None:
    assert rules_of(rules_fields(RULES)) == RULES


def test_refusals__every_error_of_the_interfaces__has_a_sentence_with_its_arguments() -> None:
    declared: set[str] = set()
    for text in INTERFACES.values():
        declared |= set(re.findall(r"^\s+error (\w+)\(", text, re.MULTILINE))
    compiled = {refusal.name for refusal in refusals().values()}
    assert declared & compiled <= set(SENTENCES)
    assert set(SENTENCES) <= compiled
    for selector, refusal in refusals().items():
        data = selector + encode_values(refusal.types, [sample(kind, 2) for kind in refusal.types], "error")
        error = reverted("aCall", data)
        assert error.error == refusal.name
        assert len(error.arguments) == len(refusal.names)
        assert str(error).startswith("aCall: refused: ")
        assert "{" not in str(error)
        assert "\n" not in str(error)


def test_reverted__each_rule_of_the_rule_book__says_what_was_expected() -> None:
    rules = set(re.findall(r'"(\w+)"\);', (SOURCES / "coordinator" / "RuleBook.sol").read_text()))
    assert "challengeBond" in rules
    [selector] = [key for key, found in refusals().items() if found.name == "BadRules"]
    for rule in rules:
        said = str(reverted("call", selector + encode_values(("string",), (rule,), "error")))
        assert f"{rule}: expected" in said
        assert "another value" not in said, rule


def test_reverted__string_panic_unknown_and_nothing__said_plainly() -> None:
    words = bytes.fromhex("08c379a0") + encode_values(("string",), ("too\nlate",), "Error")
    assert "too late" in str(reverted("call", words))
    panic = bytes.fromhex("4e487b71") + encode_values(("uint256",), (0x11,), "Panic")
    assert "code 0x11" in str(reverted("call", panic))
    assert "no error of these contracts" in str(reverted("call", b"\xde\xad\xbe\xef"))
    assert "no error of these contracts" in str(reverted("call", words[:20]))
    assert "without a reason (out of gas)" in str(reverted("call", b"", "out of gas"))


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        (
            "GovernorInsufficientProposerVotes",
            (b"\1" * 20, 5 * 10**17, 2 * 10**18),
            f"a proposal needs 2 tokens of votes, 0x{'01' * 20} has 0.5; votes count once",
        ),
        (
            "GovernorUnexpectedProposalState",
            (7, 3, bytes(32)),
            "this very proposal was made before and is defeated; with another title",
        ),
        (
            "GovernorUnexpectedProposalState",
            (7, 0, (1 << 4 | 1 << 5).to_bytes(32, "big")),
            "the proposal is pending, this takes one that is succeeded or queued",
        ),
        ("GovernorAlreadyCastVote", (b"\1" * 20,), f"0x{'01' * 20} has voted on this proposal"),
        ("ERC20InsufficientBalance", (b"\1" * 20, 0, 10**18), "holds 0 tokens and needs 1"),
    ],
)
def test_reverted__what_members_meet__in_words_with_amounts_in_tokens(
    name: str, arguments: tuple[object, ...], said: str
) -> None:
    [(selector, found)] = [(key, found) for key, found in refusals().items() if found.name == name]
    assert said in str(reverted("call", selector + encode_values(found.types, arguments, "error")))


def test_codec__wrong_types_and_short_data__refused_with_the_name() -> None:
    function = load("DaoToken").functions["transfer"]
    for args in (("no address", 1), (bytes(20), -1), (bytes(20), 2**256), (bytes(20),)):
        with pytest.raises(DecodeError, match="transfer"):
            function.encode(*args)
    with pytest.raises(DecodeError, match="transfer"):
        function.decode(b"\1")
    with pytest.raises(ChainError, match="NoSuchContract"):
        load("NoSuchContract")


def test_decode_log__malformed__refused() -> None:
    topic = "0x" + get_topic(events.RoundOpened).hex()
    for log in ({}, {"topics": [topic]}, {"topics": [topic], "data": "0xzz"}):
        with pytest.raises((RpcError, DecodeError)):
            decode_log(log, Timestamp(0))
    assert decode_log({"topics": [], "data": "0x"}, Timestamp(0)) is None
    assert decode_log({"topics": ["0x" + "ab" * 32], "data": "0x"}, Timestamp(0)) is None


def test_addresses__decoded__are_bytes() -> None:
    values = load("SupernodeRegistry").functions["ownerOf"].decode(bytes(12) + b"\7" * 20)
    assert values == (Address(b"\7" * 20),)
    assert Digest(load("TrainingCoordinator").events["Aborted"].topic) == get_topic(events.Aborted)
