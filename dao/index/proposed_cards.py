"""Finds the cards that a proposal's calls name."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from dao.chain.interface import decode, load
from dao.chain.structs import rules_of
from dao.core.types import Address, Digest
from dao.errors import DecodeError

_RULES_AT = {"createTask": 0, "changeRules": 1}  # which argument the rules are


def list_proposed_cards(
    coordinator: Address, targets: Sequence[Address], calldatas: Sequence[bytes]
) -> Iterator[Digest]:
    """List the cards in the rules that calls would give to tasks."""
    functions = load("TrainingCoordinator").functions
    for target, data in zip(targets, calldatas, strict=True):
        for name, place in _RULES_AT.items():
            if target == coordinator and data[:4] == functions[name].selector:
                with suppress(DecodeError):  # the contract will refuse the call
                    yield rules_of(decode(functions[name].inputs, data[4:], name)[place]).card
