"""Accounts, their votes, and the DAO's own tokens."""

from sqlalchemy import and_, or_, select

from dao.chain.deployment import Deployment
from dao.core.types import Address, BlockNumber, Timestamp, Wei
from dao.index import schema
from dao.index.reads import records
from dao.index.reads.reader import LIMIT, Reader, newest, page, read_cursor
from dao.index.rows import SettingsRow
from dao.index.writer import state_of

_ACCOUNTS = schema.accounts
_NOTHING = Wei(0)


class HoldingReads(Reader):
    """Reads of accounts and tokens."""

    def network(self, deployment: Deployment) -> records.NetworkRecord:
        """How the DAO decides, and what there is of its tokens."""
        table = schema.settings
        with self._moment() as connection:
            row = connection.execute(select(table).order_by(table.c.block.desc()).limit(1)).mappings().first()
            now: SettingsRow = state_of(SettingsRow, row) if row is not None else SettingsRow()
            where = _ACCOUNTS.c.address == deployment.timelock, newest(_ACCOUNTS, deployment.timelock)
            treasury = connection.execute(select(_ACCOUNTS.c.balance).where(*where)).scalar()
        return records.NetworkRecord(
            voting_delay=now.voting_delay,
            voting_period=now.voting_period,
            threshold=now.threshold,
            quorum_percent=now.quorum_percent,
            late_extension=now.late_extension,
            timelock_delay=now.timelock_delay,
            supply=now.supply,
            treasury=Wei(treasury or 0),
            quorum=now.quorum,
            tasks_paused=now.tasks_paused,
            staking_paused=now.staking_paused,
        )

    def account(self, address: Address) -> records.AccountRecord:
        """One account: of nothing, where it never was in an event."""
        stakes = schema.supernodes
        with self._moment() as connection:
            where = _ACCOUNTS.c.address == address, newest(_ACCOUNTS, address)
            row = connection.execute(select(_ACCOUNTS).where(*where)).first()
            columns = stakes.c.operator, stakes.c.active, stakes.c.unbonding
            owned = select(*columns).where(stakes.c.owner == address, newest(stakes))
            rows = connection.execute(owned.order_by(stakes.c.operator)).all()
            supernodes = tuple(records.StakeRecord(*found) for found in rows)
        if row is None:
            return records.AccountRecord(address, _NOTHING, _NOTHING, _NOTHING, None, None, 0, ())
        return records.AccountRecord(
            address=address,
            balance=row.balance,
            staked=row.staked,
            votes=row.votes,
            token_delegate=row.token_delegate,
            registry_delegate=row.registry_delegate,
            delegators=row.delegators,
            supernodes=supernodes,
        )

    def votes_at(self, address: Address, when: Timestamp) -> Wei:
        """An account's votes at the end of a past second: its weight where a proposal's snapshot was then."""
        where = _ACCOUNTS.c.address == address, _ACCOUNTS.c.timestamp <= when
        query = select(_ACCOUNTS.c.votes).where(*where).order_by(_ACCOUNTS.c.block.desc()).limit(1)
        with self._moment() as connection:
            return Wei(connection.execute(query).scalar() or 0)

    def delegates(
        self, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.DelegateRecord]:
        """All accounts with votes, the most first."""
        columns = _ACCOUNTS.c
        query = (
            select(columns.address, columns.votes, columns.delegators)
            .where(columns.votes > 0, newest(_ACCOUNTS))
            .order_by(columns.votes.desc(), columns.address.desc())
        )
        if cursor is not None:
            votes, address = read_cursor(cursor, int, bytes)
            less = columns.votes < votes
            query = query.where(or_(less, and_(columns.votes == votes, columns.address < address)))
        with self._moment() as connection:
            return page(
                *(connection, query, limit),
                lambda rows: [records.DelegateRecord(*row) for row in rows],
                lambda row: (row.votes, row.address),
            )

    def treasury(self, deployment: Deployment) -> records.TreasuryRecord:
        """The DAO's tokens, and what its tasks' escrows have left."""
        state = schema.task_states
        with self._moment() as connection:
            where = _ACCOUNTS.c.address == deployment.timelock, newest(_ACCOUNTS, deployment.timelock)
            balance = connection.execute(select(_ACCOUNTS.c.balance).where(*where)).scalar()
            columns = state.c.task, state.c.funded, state.c.rewarded
            of = schema.tasks.join(
                state, and_(state.c.task == schema.tasks.c.task, newest(state, schema.tasks.c.task))
            )
            rows = connection.execute(select(*columns).select_from(of).order_by(schema.tasks.c.task)).all()
        escrow = tuple(records.EscrowRecord(row.task, Wei(row.funded - row.rewarded)) for row in rows)
        return records.TreasuryRecord(Wei(balance or 0), escrow)

    def payments(
        self, cursor: str | None = None, limit: int = LIMIT
    ) -> records.RecordPage[records.PaymentRecord]:
        """What the treasury paid out, grants above all, the newest first."""
        columns = schema.payments.c
        query = select(schema.payments).order_by(columns.place.desc())
        if cursor is not None:
            query = query.where(columns.place < min(read_cursor(cursor, int)[0], 2**62))
        with self._moment() as connection:
            return page(
                *(connection, query, limit),
                lambda rows: [
                    records.PaymentRecord(
                        row.receiver, row.amount, BlockNumber(row.block), row.timestamp, row.tx_hash
                    )
                    for row in rows
                ],
                lambda row: (row.place,),
            )
