"""The tree of a task's accounts: what each owner has earned so far, what it owes, and the memory of its cosines.

Accounts stand in the order in which owners first committed, so that an account has one place in all rounds. A leaf tells the
row of the round that moved it, and the total so far: what a leaf says follows from few others.
"""

from collections.abc import Mapping, Sequence

from dao.core.constants import NO_ROW, ROWS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.formats.fixed import signed, unsigned
from dao.core.formats.manifest import Account
from dao.core.types import Address, Digest, hex_of
from dao.errors import RuleError


class AccountTree:
    """The accounts after a round; `rows` is the index of the owner's row in it, of each owner that committed."""

    def __init__(self, accounts: Sequence[Account], rows: Mapping[Address, int]) -> None:
        self._accounts = {account.owner: account for account in accounts}
        self._places = {account.owner: place for place, account in enumerate(accounts)}
        self._leaves, total = [], 0
        for account in accounts:
            total += account.cumulative_wei
            self._leaves.append(encode_account(account, total, rows.get(account.owner, NO_ROW)))
        self._tree = Tree(self._leaves, ROWS_DEPTH)

    @property
    def root(self) -> Digest:
        """The root."""
        return self._tree.root

    @property
    def leaves(self) -> Sequence[bytes]:
        """All leaves, in order."""
        return self._leaves

    def get(self, owner: Address) -> Account | None:
        """Return an owner's account; None of an owner that never committed."""
        return self._accounts.get(owner)

    def find(self, owner: Address) -> tuple[bytes, int, list[Digest]]:
        """Return an owner's leaf, its index and the siblings from it up; RuleError when it never committed."""
        place = self._places.get(owner)
        if place is None:
            raise RuleError(f"owner {hex_of(owner)}: expected an owner that has committed in this task")
        return self._leaves[place], place, self._tree.proof(place)


def encode_account(account: Account, total: int, row: int) -> bytes:
    """Return an account's leaf: owner, cumulative wei, debt, memory, the total up to it, and the row that moved it."""
    who = f"owner {hex_of(account.owner)}"
    return b"".join(
        (
            account.owner,
            unsigned(account.cumulative_wei, 16, f"{who}: cumulative reward"),
            unsigned(account.debt, 8, f"{who}: debt"),
            signed(account.memory, 8, f"{who}: memory"),
            unsigned(total, 16, "total of rewards"),
            unsigned(row, 4, "row"),
        )
    )
