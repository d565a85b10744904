"""Puts up the bond of a challenge, which freezes a posted result until the DAO has decided."""

import asyncio

from dao.chain.block_clock import format_time
from dao.chain.client import Chain
from dao.chain.contracts import Coordinator, Token
from dao.chain.sender import Sender
from dao.core.formats.reasons import format_tokens
from dao.core.round_machine import compute_resolve_deadline, is_challenge_time
from dao.core.types import Phase, RoundId, TaskId, Timestamp, Wei, hex_of
from dao.errors import RuleError


async def read_bond(chain: Chain, task: TaskId, round_id: RoundId) -> Wei:
    """Return the bond of a challenge to a round's result, in wei; RuleError when it cannot be challenged now."""
    at, coordinator = chain.final(), Coordinator(chain)
    state = await coordinator.round_of(task, round_id, at)
    if state.phase is not Phase.POSTED:
        raise RuleError(
            f"task {task} round {round_id}: is {state.phase.name.lower()}; expected a posted result to challenge"
        )
    rules = await coordinator.rules_of_round(task, round_id, at)
    if not is_challenge_time(rules, state, at.timestamp):
        ended = format_time(Timestamp(state.posted_at + rules.challenge_period))
        raise RuleError(f"task {task} round {round_id}: could be challenged until {ended}")
    return rules.challenge_bond


async def challenge_result(
    chain: Chain, sender: Sender, task: TaskId, round_id: RoundId, reason: str
) -> Timestamp:
    """Freeze a result for the sender's bond; return until when the DAO may decide, in Unix seconds of block time.

    RuleError when the result cannot be challenged now, or the sender has too few tokens.
    """
    token, coordinator = Token(chain), Coordinator(chain)
    bond = await read_bond(chain, task, round_id)
    balance, allowance = await asyncio.gather(
        token.balance_of(sender.address, chain.final()),
        token.allowance(sender.address, chain.deployment.coordinator, chain.final()),
    )
    if balance < bond:
        raise RuleError(
            f"account {hex_of(sender.address)}: has {format_tokens(balance)} tokens, expected the bond of"
            f" {format_tokens(bond)}; have some sent to it"
        )
    if allowance < bond:
        await sender.send(token.approve(chain.deployment.coordinator, bond))
    await sender.send(coordinator.challenge(task, round_id, reason))
    at = chain.final()
    state, rules = await asyncio.gather(
        coordinator.round_of(task, round_id, at), coordinator.rules_of_round(task, round_id, at)
    )
    return compute_resolve_deadline(rules, state)
