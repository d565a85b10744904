"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UINT = DIGEST = sa.LargeBinary(32)
ADDRESS = sa.LargeBinary(20)


def upgrade() -> None:
    """Create all."""
    _create_cards()
    op.create_table(
        "accounts",
        sa.Column("address", ADDRESS, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("timestamp", WHOLE, nullable=False),
        sa.Column("balance", UINT, nullable=False),
        sa.Column("staked", UINT, nullable=False),
        sa.Column("votes", UINT, nullable=False),
        sa.Column("token_votes", UINT, nullable=False),
        sa.Column("registry_votes", UINT, nullable=False),
        sa.Column("token_delegate", ADDRESS),
        sa.Column("registry_delegate", ADDRESS),
        sa.Column("delegators", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("address", "block", name="pk_accounts"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_accounts_block", "accounts", ["block"])
    op.create_index("ix_accounts_votes_address_block", "accounts", ["votes", "address", "block"])
    op.create_table(
        "admissions",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("owner", ADDRESS, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("admitted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("task", "owner", "block", name="pk_admissions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_admissions_block", "admissions", ["block"])
    op.create_table(
        "blocks",
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("hash", DIGEST, nullable=False),
        sa.Column("timestamp", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("block", name="pk_blocks"),
    )
    op.create_table(
        "cases",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("round", WHOLE, nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("place", WHOLE, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("accuser", ADDRESS, nullable=False),
        sa.Column("accused", ADDRESS, nullable=False),
        sa.Column("opened_at", WHOLE, nullable=False),
        sa.Column("opened_tx", DIGEST, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("bond", UINT),
        sa.Column("until", WHOLE, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("prover", ADDRESS),
        sa.Column("claim", WHOLE),
        sa.Column("slashed", UINT),
        sa.Column("paid", UINT),
        sa.Column("verdict", sa.Text()),
        sa.Column("ended_at", WHOLE, nullable=False),
        sa.Column("ended_tx", DIGEST),
        sa.PrimaryKeyConstraint("task", "round", "number", "block", name="pk_cases"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cases_block", "cases", ["block"])
    op.create_index("ix_cases_place", "cases", ["place"])
    op.create_table(
        "claims",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("owner", ADDRESS, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("claimed", UINT, nullable=False),
        sa.PrimaryKeyConstraint("task", "owner", "block", name="pk_claims"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_claims_block", "claims", ["block"])
    op.create_table(
        "events",
        sa.Column("place", WHOLE, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("timestamp", WHOLE, nullable=False),
        sa.Column("tx_hash", DIGEST, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("task", WHOLE),
        sa.Column("round", WHOLE),
        sa.Column("proposal", UINT),
        sa.Column("address", ADDRESS),
        sa.Column("other", ADDRESS),
        sa.PrimaryKeyConstraint("place", name="pk_events"),
    )
    op.create_index("ix_events_address_place", "events", ["address", "place"])
    op.create_index("ix_events_kind_place", "events", ["kind", "place"])
    op.create_index("ix_events_other_place", "events", ["other", "place"])
    op.create_index("ix_events_proposal_place", "events", ["proposal", "place"])
    op.create_index("ix_events_task_place", "events", ["task", "place"])
    op.create_table(
        "forced_commits",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("round", WHOLE, nullable=False),
        sa.Column("node", ADDRESS, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("place", WHOLE, nullable=False),
        sa.Column("commitment", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("task", "round", "node", name="pk_forced_commits"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_forced_commits_block", "forced_commits", ["block"])
    op.create_table(
        "manifests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("round", WHOLE, nullable=False),
        sa.Column("result_hash", DIGEST, nullable=False),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("cid", sa.Text()),
        sa.Column("base_model", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("shard", WHOLE),
        sa.Column("loss_before", WHOLE),
        sa.Column("loss_after", WHOLE),
        sa.Column("metric_name", sa.Text()),
        sa.Column("metric", WHOLE),
        sa.Column("budget", UINT),
        sa.Column("refunded", UINT),
        sa.PrimaryKeyConstraint("id", name="pk_manifests"),
    )
    op.create_index(
        "ix_manifests_task_round_result_hash", "manifests", ["task", "round", "result_hash"], unique=True
    )
    op.create_table(
        "members",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("operator", ADDRESS, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("owner", ADDRESS, nullable=False),
        sa.Column("joined", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("task", "operator", "block", name="pk_members"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_members_block", "members", ["block"])
    op.create_table(
        "payments",
        sa.Column("place", WHOLE, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("timestamp", WHOLE, nullable=False),
        sa.Column("tx_hash", DIGEST, nullable=False),
        sa.Column("receiver", ADDRESS, nullable=False),
        sa.Column("amount", UINT, nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_payments"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_payments_block", "payments", ["block"])
    op.create_table(
        "position",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", WHOLE, nullable=False),
        sa.Column("coordinator", ADDRESS, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("hash", DIGEST, nullable=False),
        sa.Column("timestamp", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_position"),
    )
    op.create_table(
        "proposal_states",
        sa.Column("proposal", UINT, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("starts_at", WHOLE, nullable=False),
        sa.Column("ends_at", WHOLE, nullable=False),
        sa.Column("in_favour", UINT, nullable=False),
        sa.Column("against", UINT, nullable=False),
        sa.Column("abstain", UINT, nullable=False),
        sa.Column("quorum", UINT),
        sa.Column("passing", sa.Boolean(), nullable=False),
        sa.Column("eta", WHOLE, nullable=False),
        sa.Column("canceled", sa.Boolean(), nullable=False),
        sa.Column("executed", sa.Boolean(), nullable=False),
        sa.Column("queued_tx", DIGEST),
        sa.Column("ended_tx", DIGEST),
        sa.PrimaryKeyConstraint("proposal", "block", name="pk_proposal_states"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_proposal_states_block", "proposal_states", ["block"])
    op.create_table(
        "proposals",
        sa.Column("proposal", UINT, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("place", WHOLE, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("tx_hash", DIGEST, nullable=False),
        sa.Column("proposer", ADDRESS, nullable=False),
        sa.Column("starts_at", WHOLE, nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("proposal", name="pk_proposals"),
        sa.UniqueConstraint("place"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_proposals_block", "proposals", ["block"])
    op.create_table(
        "rounds",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("round", WHOLE, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("superlink", ADDRESS, nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.Column("open_block", WHOLE, nullable=False),
        sa.Column("opened_at", WHOLE, nullable=False),
        sa.Column("closed_at", WHOLE, nullable=False),
        sa.Column("posted_at", WHOLE, nullable=False),
        sa.Column("ended_at", WHOLE, nullable=False),
        sa.Column("parent", WHOLE, nullable=False),
        sa.Column("eligible", WHOLE, nullable=False),
        sa.Column("commits", WHOLE, nullable=False),
        sa.Column("forced", WHOLE, nullable=False),
        sa.Column("passes", WHOLE, nullable=False),
        sa.Column("seed", DIGEST),
        sa.Column("challenger", ADDRESS),
        sa.Column("challenge", sa.Text()),
        sa.Column("result_hash", DIGEST),
        sa.Column("model_digest", DIGEST),
        sa.Column("manifest_digest", DIGEST),
        sa.Column("result", sa.Text()),
        sa.PrimaryKeyConstraint("task", "round", "block", name="pk_rounds"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rounds_block", "rounds", ["block"])
    op.create_table(
        "settings",
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("timestamp", WHOLE, nullable=False),
        sa.Column("voting_delay", WHOLE, nullable=False),
        sa.Column("voting_period", WHOLE, nullable=False),
        sa.Column("threshold", UINT, nullable=False),
        sa.Column("quorum_percent", WHOLE, nullable=False),
        sa.Column("late_extension", WHOLE, nullable=False),
        sa.Column("timelock_delay", WHOLE, nullable=False),
        sa.Column("supply", UINT, nullable=False),
        sa.Column("reserved", UINT, nullable=False),
        sa.Column("tasks_paused", sa.Boolean(), nullable=False),
        sa.Column("staking_paused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("block", name="pk_settings"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "supernodes",
        sa.Column("operator", ADDRESS, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("owner", ADDRESS, nullable=False),
        sa.Column("active", UINT, nullable=False),
        sa.Column("unbonding", UINT, nullable=False),
        sa.Column("release_time", WHOLE, nullable=False),
        sa.Column("slashed", UINT, nullable=False),
        sa.Column("registered_at", WHOLE, nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("successor", ADDRESS),
        sa.PrimaryKeyConstraint("operator", "block", name="pk_supernodes"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_supernodes_block", "supernodes", ["block"])
    op.create_index("ix_supernodes_owner", "supernodes", ["owner"])
    op.create_table(
        "task_rules",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("task", "version", name="pk_task_rules"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_task_rules_block", "task_rules", ["block"])
    op.create_table(
        "task_states",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("superlink", ADDRESS, nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.Column("active", WHOLE, nullable=False),
        sa.Column("last_round", WHOLE, nullable=False),
        sa.Column("head", WHOLE, nullable=False),
        sa.Column("in_flight", WHOLE, nullable=False),
        sa.Column("finalized", WHOLE, nullable=False),
        sa.Column("funded", UINT, nullable=False),
        sa.Column("rewarded", UINT, nullable=False),
        sa.Column("claimed", UINT, nullable=False),
        sa.PrimaryKeyConstraint("task", "block", name="pk_task_states"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_task_states_block", "task_states", ["block"])
    op.create_table(
        "tasks",
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("app_hash", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("task", name="pk_tasks"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tasks_block", "tasks", ["block"])
    op.create_table(
        "votes",
        sa.Column("proposal", UINT, nullable=False),
        sa.Column("place", WHOLE, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.Column("timestamp", WHOLE, nullable=False),
        sa.Column("tx_hash", DIGEST, nullable=False),
        sa.Column("voter", ADDRESS, nullable=False),
        sa.Column("support", sa.Integer(), nullable=False),
        sa.Column("weight", UINT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("proposal", "place", name="pk_votes"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_votes_block", "votes", ["block"])
    op.create_index("ix_votes_voter_place", "votes", ["voter", "place"])
    op.create_table(
        "manifest_accounts",
        sa.Column("manifest", sa.Integer(), nullable=False),
        sa.Column("owner", ADDRESS, nullable=False),
        sa.Column("cumulative", UINT, nullable=False),
        sa.Column("debt", UINT, nullable=False),
        sa.Column("memory", WHOLE, nullable=False),
        sa.Column("place", WHOLE, nullable=False),
        sa.Column("row", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(["manifest"], ["manifests.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("manifest", "owner", name="pk_manifest_accounts"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "manifest_nodes",
        sa.Column("manifest", sa.Integer(), nullable=False),
        sa.Column("node", ADDRESS, nullable=False),
        sa.Column("task", WHOLE, nullable=False),
        sa.Column("round", WHOLE, nullable=False),
        sa.Column("owner", ADDRESS, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stake", UINT, nullable=False),
        sa.Column("weight", WHOLE, nullable=False),
        sa.Column("score", WHOLE, nullable=False),
        sa.Column("debt", UINT, nullable=False),
        sa.Column("reward", UINT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["manifest"], ["manifests.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("manifest", "node", name="pk_manifest_nodes"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_manifest_nodes_node_task_round", "manifest_nodes", ["node", "task", "round"])


def _create_cards() -> None:
    op.create_table(
        "cards",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_cards"),
    )
    op.create_table(
        "named_cards",
        sa.Column("place", WHOLE, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("block", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("place", "digest", name="pk_named_cards"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_named_cards_block", "named_cards", ["block"])
    op.create_index("ix_named_cards_digest", "named_cards", ["digest"])
