"""Reads accounts, their votes, and the DAO's settings and tokens."""

from sqlalchemy import and_, or_, select

from dao.chain.deployment import Deployment
from dao.core.types import Address, Timestamp, Wei
from dao.index import schema
from dao.index.reads import records
from dao.index.reads.reader import (
    LIMIT,
    Reader,
    is_newest,
    make_record,
    read_cursor,
    read_page,
    read_settings,
)
from dao.index.rows import AccountRow

_ACCOUNTS = schema.accounts


class HoldingReads(Reader):
    """Reads accounts, delegates, and the DAO's own tokens."""

    def get_network(self, deployment: Deployment) -> records.NetworkRecord:
        """Get the DAO's settings, and its tokens."""
        where = _ACCOUNTS.c.address == deployment.timelock, is_newest(_ACCOUNTS, deployment.timelock)
        with self._snapshot() as connection:
            settings = read_settings(connection)
            treasury = connection.execute(select(_ACCOUNTS.c.balance).where(*where)).scalar()
        return make_record(records.NetworkRecord, settings, treasury=Wei(treasury or 0))

    def get_account(self, address: Address) -> records.AccountRecord:
        """Get an account; one that was in no event has nothing."""
        stakes = schema.supernodes
        with self._snapshot() as connection:
            where = _ACCOUNTS.c.address == address, is_newest(_ACCOUNTS, address)
            row = connection.execute(select(_ACCOUNTS).where(*where)).first()
            columns = stakes.c.operator, stakes.c.active, stakes.c.unbonding
            owned = select(*columns).where(
                stakes.c.owner == address, stakes.c.successor.is_(None), is_newest(stakes)
            )
            rows = connection.execute(owned.order_by(stakes.c.operator)).all()
            supernodes = tuple(records.StakeRecord(*stake) for stake in rows)
        if row is None:
            return make_record(records.AccountRecord, AccountRow(), address=address, supernodes=())
        return make_record(records.AccountRecord, row, supernodes=supernodes)

    def get_votes_at(self, address: Address, when: Timestamp) -> Wei:
        """Get an account's votes in wei at the end of a past second, which are its weight on a proposal of that snapshot."""
        where = _ACCOUNTS.c.address == address, _ACCOUNTS.c.timestamp <= when
        query = select(_ACCOUNTS.c.votes).where(*where).order_by(_ACCOUNTS.c.block.desc()).limit(1)
        with self._snapshot() as connection:
            return Wei(connection.execute(query).scalar() or 0)

    def list_delegates(
        self, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.DelegateRecord]:
        """List all accounts with votes, the most first."""
        columns = _ACCOUNTS.c
        query = (
            select(columns.address, columns.votes, columns.delegators)
            .where(columns.votes > 0, is_newest(_ACCOUNTS))
            .order_by(columns.votes.desc(), columns.address.desc())
        )
        if cursor is not None:
            votes, address = read_cursor(cursor, int, bytes)
            less = columns.votes < votes
            query = query.where(or_(less, and_(columns.votes == votes, columns.address < address)))
        with self._snapshot() as connection:
            return read_page(
                *(connection, query, limit),
                lambda rows: [records.DelegateRecord(*row) for row in rows],
                lambda row: (row.votes, row.address),
            )

    def get_treasury(self, deployment: Deployment) -> records.TreasuryRecord:
        """Get the DAO's tokens, and what its tasks' escrows have left."""
        state = schema.task_states
        with self._snapshot() as connection:
            where = _ACCOUNTS.c.address == deployment.timelock, is_newest(_ACCOUNTS, deployment.timelock)
            balance = connection.execute(select(_ACCOUNTS.c.balance).where(*where)).scalar()
            columns = state.c.task, state.c.funded, state.c.rewarded
            of_task = and_(state.c.task == schema.tasks.c.task, is_newest(state, schema.tasks.c.task))
            joined = schema.tasks.join(state, of_task)
            rows = connection.execute(
                select(*columns).select_from(joined).order_by(schema.tasks.c.task)
            ).all()
        escrow = tuple(records.EscrowRecord(row.task, Wei(row.funded - row.rewarded)) for row in rows)
        return records.TreasuryRecord(Wei(balance or 0), escrow)

    def list_payments(
        self, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.PaymentRecord]:
        """List the treasury's payments, grants above all, the newest first."""
        columns = schema.payments.c
        query = select(schema.payments).order_by(columns.place.desc())
        if cursor is not None:
            query = query.where(columns.place < min(read_cursor(cursor, int)[0], 2**62))
        with self._snapshot() as connection:
            return read_page(
                *(connection, query, limit),
                lambda rows: [make_record(records.PaymentRecord, row) for row in rows],
                lambda row: (row.place,),
            )
