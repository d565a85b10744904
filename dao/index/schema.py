"""The tables of the index.

Rows are added and never changed: each names the block that brought it, and a thing that changes (a round, an account)
has a row for each block that changed it, of which the newest is its state. So a reorg is a DELETE of the rows above a
block, in every table of BOUND. Manifests and cards are content, not history: hashes bind them, and they outlive a reorg.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

PLACES = 1 << 20  # logs of a block: an event's place is block * PLACES + its log's index
Whole = BigInteger().with_variant(Integer, "sqlite")


class Uint(TypeDecorator[int]):
    """A whole number of the EVM: 32 bytes, the greatest first, so that databases sort by value."""

    impl = LargeBinary(32)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else value.to_bytes(32, "big")

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int.from_bytes(value, "big")


metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}
)


def _key(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _has(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _table(name: str, *columns: Any) -> Table:
    return Table(name, metadata, *columns, sqlite_with_rowid=False)


def _at() -> Column[Any]:
    return Column("block", Whole, nullable=False, index=True)


def _versions(name: str, keys: list[Column[Any]], *columns: Any) -> Table:
    """A table with a row for each block that changed a thing."""
    block = Column("block", Whole, primary_key=True, autoincrement=False, index=bool(keys))
    return _table(name, *keys, block, *columns)


# the index's position (one row), and the newest blocks with their hashes

position = Table(
    "position",
    metadata,
    _key("id", Integer),
    _has("chain_id", Whole),
    _has("coordinator", LargeBinary(20)),
    _has("block", Whole),
    _has("hash", LargeBinary(32)),
    _has("timestamp", Whole),
)
blocks = Table(
    "blocks", metadata, _key("block", Whole), _has("hash", LargeBinary(32)), _has("timestamp", Whole)
)

# events, in order

events = Table(
    "events",
    metadata,
    _key("place", Whole),
    _has("block", Whole),
    _has("timestamp", Whole),
    _has("tx_hash", LargeBinary(32)),
    _has("kind", Text),
    Column("task", Whole),
    Column("round", Whole),
    Column("proposal", Uint),
    Column("address", LargeBinary(20)),
    Column("other", LargeBinary(20)),
    Index(None, "kind", "place"),
    Index(None, "task", "place"),
    Index(None, "proposal", "place"),
    Index(None, "address", "place"),
    Index(None, "other", "place"),
)

# training

tasks = _table(
    "tasks",
    _key("task", Whole),
    _at(),
    _has("created_at", Whole),
    _has("app_hash", LargeBinary(32)),
)
task_rules = _table("task_rules", *(_key("task", Whole), _key("version", Whole), _at(), _has("rules", Text)))
named_cards = _table(  # by rules of a task, or by those that a proposal would give to one
    "named_cards", *(_key("place", Whole), _key("digest", LargeBinary(32)), _at()), Index(None, "digest")
)
task_states = _versions(
    "task_states",
    [_key("task", Whole)],
    _has("closed", Boolean),
    _has("superlink", LargeBinary(20)),
    _has("version", Whole),
    _has("active", Whole),
    _has("last_round", Whole),
    _has("head", Whole),
    _has("in_flight", Whole),
    _has("finalized", Whole),
    _has("funded", Uint),
    _has("rewarded", Uint),
    _has("claimed", Uint),
)
rounds = _versions(
    "rounds",
    [_key("task", Whole), _key("round", Whole)],
    _has("phase", Integer),
    _has("superlink", LargeBinary(20)),
    _has("version", Whole),
    _has("open_block", Whole),
    _has("opened_at", Whole),
    _has("closed_at", Whole),
    _has("posted_at", Whole),
    _has("ended_at", Whole),
    _has("parent", Whole),
    _has("eligible", Whole),
    _has("commits", Whole),
    _has("forced", Whole),
    _has("passes", Whole),
    Column("seed", LargeBinary(32)),
    Column("challenger", LargeBinary(20)),
    Column("challenge", Text),
    Column("result_hash", LargeBinary(32)),
    Column("model_digest", LargeBinary(32)),
    Column("manifest_digest", LargeBinary(32)),
    Column("result", Text),
)
forced_commits = _table(
    "forced_commits",
    *(_key("task", Whole), _key("round", Whole), _key("node", LargeBinary(20)), _at()),
    *(_has("place", Whole), _has("commitment", LargeBinary(32))),
)
cases = _versions(
    "cases",
    [_key("task", Whole), _key("round", Whole), _key("number", Whole)],
    _has("place", Whole),
    _has("kind", Text),
    _has("accuser", LargeBinary(20)),
    _has("accused", LargeBinary(20)),
    _has("opened_at", Whole),
    _has("opened_tx", LargeBinary(32)),
    _has("subject", Text),
    Column("bond", Uint),
    _has("until", Whole),
    _has("reason", Text),
    Column("prover", LargeBinary(20)),
    Column("claim", Whole),
    Column("slashed", Uint),
    Column("paid", Uint),
    Column("verdict", Text),
    _has("ended_at", Whole),
    Column("ended_tx", LargeBinary(32)),
    Index(None, "place"),
)
members = _versions(
    "members",
    [_key("task", Whole), _key("operator", LargeBinary(20))],
    *(_has("owner", LargeBinary(20)), _has("joined", Boolean)),
)
admissions = _versions(
    "admissions", [_key("task", Whole), _key("owner", LargeBinary(20))], _has("admitted", Boolean)
)
claims = _versions("claims", [_key("task", Whole), _key("owner", LargeBinary(20))], _has("claimed", Uint))

# holdings

supernodes = _versions(
    "supernodes",
    [_key("operator", LargeBinary(20))],
    _has("owner", LargeBinary(20)),
    _has("active", Uint),
    _has("unbonding", Uint),
    _has("release_time", Whole),
    _has("slashed", Uint),
    _has("registered_at", Whole),
    _has("revoked", Boolean),
    Column("successor", LargeBinary(20)),
    Index(None, "owner"),
)
accounts = _versions(
    "accounts",
    [_key("address", LargeBinary(20))],
    _has("timestamp", Whole),
    _has("balance", Uint),
    _has("staked", Uint),
    _has("votes", Uint),
    _has("token_votes", Uint),
    _has("registry_votes", Uint),
    Column("token_delegate", LargeBinary(20)),
    Column("registry_delegate", LargeBinary(20)),
    _has("delegators", Whole),
    Index(None, "votes", "address", "block"),
)
payments = _table(
    "payments",
    *(_key("place", Whole), _at(), _has("timestamp", Whole), _has("tx_hash", LargeBinary(32))),
    *(_has("receiver", LargeBinary(20)), _has("amount", Uint)),
)

# decisions

settings = _versions(
    "settings",
    [],
    _has("timestamp", Whole),
    _has("voting_delay", Whole),
    _has("voting_period", Whole),
    _has("threshold", Uint),
    _has("quorum_percent", Whole),
    _has("late_extension", Whole),
    _has("timelock_delay", Whole),
    _has("supply", Uint),
    _has("reserved", Uint),  # votes of treasury and escrow, which nobody may cast
    _has("tasks_paused", Boolean),
    _has("staking_paused", Boolean),
)
proposals = _table(
    "proposals",
    _key("proposal", Uint),
    _at(),
    Column("place", Whole, nullable=False, unique=True),
    _has("created_at", Whole),
    _has("tx_hash", LargeBinary(32)),
    _has("proposer", LargeBinary(20)),
    _has("starts_at", Whole),
    _has("actions", Text),
    _has("description", Text),
)
proposal_states = _versions(
    "proposal_states",
    [_key("proposal", Uint)],
    _has("starts_at", Whole),
    _has("ends_at", Whole),
    _has("in_favour", Uint),
    _has("against", Uint),
    _has("abstain", Uint),
    Column("quorum", Uint),
    _has("passing", Boolean),
    _has("eta", Whole),
    _has("canceled", Boolean),
    _has("executed", Boolean),
    Column("queued_tx", LargeBinary(32)),
    Column("ended_tx", LargeBinary(32)),
)
votes = _table(
    "votes",
    *(_key("proposal", Uint), _key("place", Whole), _at()),
    *(_has("timestamp", Whole), _has("tx_hash", LargeBinary(32)), _has("voter", LargeBinary(20))),
    *(_has("support", Integer), _has("weight", Uint), _has("reason", Text)),
    Index(None, "voter", "place"),
)

# cards, each bound to rules by its digest

cards = Table(
    "cards",
    metadata,
    _key("digest", LargeBinary(32)),
    _has("content", Text),
    _has("refusal", Text),  # why it is rejected; empty: it is not
)

# manifests, each bound to a result of a round by its hash

manifests = Table(
    "manifests",
    metadata,
    Column("id", Integer, primary_key=True),
    _has("task", Whole),
    _has("round", Whole),
    _has("result_hash", LargeBinary(32)),
    _has("refusal", Text),  # why it is rejected; empty: it is not
    Column("cid", Text),
    Column("base_model", Text),
    Column("model", Text),
    Column("shard", Whole),
    Column("loss_before", Whole),
    Column("loss_after", Whole),
    Column("metric_name", Text),  # null: it states none
    Column("metric", Whole),
    Column("budget", Uint),
    Column("refunded", Uint),
    Index(None, "task", "round", "result_hash", unique=True),
)
manifest_nodes = _table(
    "manifest_nodes",
    Column("manifest", Integer, ForeignKey("manifests.id", ondelete="CASCADE"), primary_key=True),
    _key("node", LargeBinary(20)),
    _has("task", Whole),
    _has("round", Whole),
    _has("owner", LargeBinary(20)),
    _has("status", Text),
    _has("stake", Uint),
    _has("weight", Whole),
    _has("score", Whole),
    _has("debt", Uint),
    _has("reward", Uint),
    _has("reason", Text),
    Index(None, "node", "task", "round"),
)
manifest_accounts = _table(
    "manifest_accounts",
    Column("manifest", Integer, ForeignKey("manifests.id", ondelete="CASCADE"), primary_key=True),
    _key("owner", LargeBinary(20)),
    _has("cumulative", Uint),
    _has("debt", Uint),
    _has("memory", Whole),
    _has("place", Whole),  # in the tree of accounts, from 0
    _has("row", Whole),  # of the owner's node in the round, or dao.core.constants.NO_ROW
)

BOUND: tuple[Table, ...] = tuple(
    table for table in metadata.sorted_tables if "block" in table.c and table is not position
)
