"""Which noised updates of a site were made, of all its tasks: each on the disk before its noise is drawn.

An opening of a round has one entry, for one commit to it is signed and only what is signed leaves. So a daemon that was
killed between noise and commit draws anew, and pays once.
"""

from dataclasses import dataclass
from pathlib import Path

from dao.core.types import Address, Digest, Domain, RoundId, TaskId
from dao.errors import RuleError
from dao.runtime.failpoint import failpoint
from dao.runtime.sqlite import Database
from node.privacy.accounting import compute_epsilon

USED_UP = "privacy budget used up"
_PATIENCE = 30.0  # seconds to wait for another process's transaction
_PLACE = "chain = ? AND coordinator = ? AND node = ? AND task = ? AND round = ? AND opening = ?"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS updates (
    chain INTEGER NOT NULL, coordinator BLOB NOT NULL, node BLOB NOT NULL, task INTEGER NOT NULL,
    round INTEGER NOT NULL, opening BLOB NOT NULL, noise REAL NOT NULL, clip REAL NOT NULL,
    PRIMARY KEY (chain, coordinator, node, task, round, opening)
) STRICT, WITHOUT ROWID;
"""


class BudgetSpent(RuleError):  # noqa: N818  (a leaf of the tree)
    """Another update would tell more of a site than its owner allows."""


@dataclass(frozen=True)
class UpdatePlace:
    """What an update is made for: an opening of a round, by one node."""

    domain: Domain
    node: Address
    task: TaskId
    round: RoundId
    opening: Digest

    def key(self) -> tuple[object, ...]:
        """Return it as the ledger has it."""
        return (
            self.domain.chain_id,
            self.domain.coordinator,
            self.node,
            self.task,
            self.round,
            self.opening,
        )


class PrivacyLedger:
    """The ledger of a site. Safe under any number of processes: several nodes of one site may share a file."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _SCHEMA, synchronous="FULL", patience=_PATIENCE)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def read_noises(self, but: UpdatePlace | None = None) -> list[float]:
        """Return the noise of each update, in clips, of all tasks; of all places but one."""
        where, values = ("", ()) if but is None else (f"WHERE NOT ({_PLACE})", but.key())
        return [noise for (noise,) in self._db.execute(f"SELECT noise FROM updates {where}", values)]  # noqa: S608

    def require(self, place: UpdatePlace, noise: float, delta: float, budget: float) -> float:
        """Return the epsilon of all updates with one more for this place; BudgetSpent where that is above the budget."""
        epsilon = compute_epsilon([*self.read_noises(but=place), noise], delta)
        if epsilon > budget:
            raise BudgetSpent(
                f"{USED_UP}: with this round's update epsilon would be {epsilon:.3g}, and you allow {budget:g}"
            )
        return epsilon

    def spend(self, place: UpdatePlace, noise: float, clip: float, delta: float, budget: float) -> float:
        """Enter an update that is about to be made, on the disk when this returns; as `require`.

        The same place again is the same entry, with the smaller of the two noises.
        """
        failpoint("before-spent")
        with self._db.transaction():
            row = self._db.execute(f"SELECT noise FROM updates WHERE {_PLACE}", place.key()).fetchone()  # noqa: S608
            least = noise if row is None else min(noise, row[0])
            epsilon = self.require(place, least, delta, budget)
            self._db.execute(
                "INSERT INTO updates VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET noise = excluded.noise, clip = excluded.clip",
                (*place.key(), least, clip),
            )
            failpoint("during-spent")
        failpoint("after-spent")
        return epsilon
