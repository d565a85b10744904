"""The round machine: what may happen in a round and when, as TrainingCoordinator has it, over plain data.

Times are block times in Unix seconds. A window includes its first second and not its last, but a result may still be
posted in the last second of its own. Where a function speaks of the parent or the head, the caller says so: these are
other rounds' state.
"""

from collections.abc import Collection, Iterable
from hashlib import sha256

from dao.core.constants import ATTESTERS, FORCED_REVEAL_MARGIN
from dao.core.types import Address, Digest, Phase, RoundState, Rules, Timestamp, Wei
from dao.errors import RuleError

STANDING = (Phase.POSTED, Phase.FROZEN)
UNDECIDED = (Phase.OPEN, Phase.CLOSED, *STANDING)


def compute_commit_deadline(rules: Rules, state: RoundState) -> Timestamp:
    """First second too late to commit, and first to close whatever the number of commits."""
    return Timestamp(state.opened_at + rules.commit_period)


def compute_close_time(rules: Rules, state: RoundState, commits: int) -> Timestamp:
    """First second in which commits may close with so many of them and without the rest; the deadline without a quorum."""
    is_enough = commits >= rules.quorum and commits * 100 >= state.eligible * rules.close_share
    return Timestamp(state.opened_at + (rules.close_after if is_enough else rules.commit_period))


def compute_reveal_deadline(rules: Rules, state: RoundState) -> Timestamp:
    """First second too late to reveal, and first to post a result that lacks reveals."""
    return Timestamp(state.closed_at + rules.reveal_period)


def compute_forced_reveal_deadline(rules: Rules, state: RoundState) -> Timestamp:
    """First second too late to reveal by way of the chain: the last part of the period is for others to see it."""
    margin = rules.reveal_period // FORCED_REVEAL_MARGIN
    return Timestamp(compute_reveal_deadline(rules, state) - margin)


def compute_result_deadline(rules: Rules, state: RoundState) -> Timestamp:
    """Last second in which the result may be posted."""
    return Timestamp(compute_reveal_deadline(rules, state) + rules.result_period)


def compute_earliest_abort(rules: Rules, state: RoundState, *, by_superlink: bool = False) -> Timestamp:
    """First second in which an open or closed round may be aborted while its parent stands."""
    if state.phase is Phase.CLOSED:
        return Timestamp(compute_result_deadline(rules, state) + 1)
    return Timestamp(compute_commit_deadline(rules, state) + (0 if by_superlink else rules.result_period))


def compute_challenge_deadline(rules: Rules, state: RoundState) -> Timestamp:
    """First second too late to challenge, and first in which the round may be finalized."""
    return Timestamp(state.posted_at + rules.challenge_period)


def compute_resolve_deadline(rules: Rules, state: RoundState) -> Timestamp:
    """First second too late to resolve a frozen round, and first to void it."""
    return Timestamp(state.posted_at + rules.resolve_period)


def is_commit_time(rules: Rules, state: RoundState, now: Timestamp) -> bool:
    """Whether a commit is in time, to the Superlink or to the chain."""
    return state.phase is Phase.OPEN and now < compute_commit_deadline(rules, state)


def is_reveal_time(rules: Rules, state: RoundState, now: Timestamp) -> bool:
    """Whether a reveal is in time."""
    return state.phase is Phase.CLOSED and now < compute_reveal_deadline(rules, state)


def is_close_time(rules: Rules, state: RoundState, commits: int, passes: int, now: Timestamp) -> bool:
    """Whether commits may be closed with `commits` of them, forced ones included, and `passes`."""
    if state.phase is not Phase.OPEN or commits < rules.quorum or commits + passes > state.eligible:
        return False
    return commits + passes == state.eligible or now >= compute_close_time(rules, state, commits)


def is_result_time(rules: Rules, state: RoundState, revealed: int, forced: int, now: Timestamp) -> bool:
    """Whether a result may be posted when content of `revealed` commits arrived and `forced` are forced ones."""
    total = state.commits + forced
    if state.phase is not Phase.CLOSED or revealed > total or now > compute_result_deadline(rules, state):
        return False
    return revealed == total or now >= compute_reveal_deadline(rules, state)


def is_challenge_time(rules: Rules, state: RoundState, now: Timestamp) -> bool:
    """Whether a posted round may be challenged."""
    return state.phase is Phase.POSTED and now < compute_challenge_deadline(rules, state)


def is_resolve_time(rules: Rules, state: RoundState, now: Timestamp) -> bool:
    """Whether a frozen round may be resolved."""
    return state.phase is Phase.FROZEN and now < compute_resolve_deadline(rules, state)


def is_finalize_time(rules: Rules, state: RoundState, now: Timestamp) -> bool:
    """Whether a round with a final parent may be finalized."""
    return state.phase is Phase.POSTED and now >= compute_challenge_deadline(rules, state)


def is_abort_time(rules: Rules, state: RoundState, now: Timestamp, *, by_superlink: bool = False) -> bool:
    """Whether the round may be aborted while its parent stands (at any time before its result, once that is void)."""
    if state.phase not in (Phase.OPEN, Phase.CLOSED):
        return False
    return now >= compute_earliest_abort(rules, state, by_superlink=by_superlink)


def is_void_time(rules: Rules, state: RoundState, now: Timestamp) -> bool:
    """Whether a frozen round may be voided because nobody resolved it."""
    return state.phase is Phase.FROZEN and now >= compute_resolve_deadline(rules, state)


def retire_shards(used: Iterable[int], draws: Iterable[tuple[Digest, int]]) -> tuple[int, ...]:
    """Add to the `used` shards those that further rounds drew, in order: also rounds that came to nothing.

    A draw is the round's seed, and the number of shards by its rules. Rows are public from the draw on, and who trains on
    them would score on what it has seen. Rising; a seed that found no shard left drew none.
    """
    retired = set(used)
    for seed, shards in draws:
        if len(retired) < shards:
            retired.add(draw_shard(seed, shards, retired))
    return tuple(sorted(retired))


def draw_shard(seed: Digest, shards: int, used: Collection[int]) -> int:
    """Draw the index of a round's validation shard from those never drawn before; RuleError when none is left."""
    free = sorted(set(range(shards)) - set(used))
    if not free:
        raise RuleError(f"validation shards: all {shards} of the task are used; append more by a vote")
    return free[int.from_bytes(sha256(seed + b"shard").digest(), "big") % len(free)]


def compute_counted_stake(rules: Rules, stake: Wei) -> int:
    """How much of a stake weighs in a round, in wei, or one unit for admitted members; 0: not eligible."""
    if stake < rules.min_stake:
        return 0
    return 1 if rules.admitted_only else min(stake, rules.max_stake)


def is_attester(seed: Digest, member: Address, others: int) -> bool:
    """Whether a round's seed draws a member to attest that an update is there, of `others` beside the update's node.

    Each is drawn by itself, about ATTESTERS of them; all where there are no more.
    """
    drawn = int.from_bytes(sha256(seed + b"attest" + member).digest(), "big")
    return others <= ATTESTERS or drawn < ((1 << 256) - 1) // others * ATTESTERS


def count_attesters(others: int) -> int:
    """How many attestations are most of those drawn, of `others` members beside the update's node."""
    return min(others, ATTESTERS) // 2 + 1
