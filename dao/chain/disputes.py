"""The contract that hears proofs of wrong results: the accuser announces a proof, and shows it a block later."""

from dataclasses import astuple, dataclass, replace

from dao.chain.client import At, Chain
from dao.chain.contracts import Call, Contract
from dao.chain.interface import encode, load
from dao.core.commits import SignedCommit
from dao.core.engine.keccak import keccak256
from dao.core.types import Address, BlockNumber, Digest, Result, RoundId, Statement, TaskId, Timestamp, Wei


@dataclass(frozen=True, slots=True)
class Accusation:
    """A claim of one prover's about a round's result, with the bytes that show it."""

    prover: Address
    claim: int
    task: TaskId
    round: RoundId
    proof: bytes


@dataclass(frozen=True, slots=True)
class DemandState:
    """A demand on chain (IDemands.Demand); all 0 where there was none."""

    demander: Address
    deadline: Timestamp
    is_open: bool
    of_member: bool
    bond: Wei


_SIGNED = "(bytes32,bytes)"  # IEquivocations.Signed: a commitment and its signature
Demandable = tuple[int, int, int]  # tree, outer, index: a leaf, as the contract names it


def compute_announcement(accuser: Address, accusation: Accusation) -> Digest:
    """Return what an accuser announces: it shows nothing of the proof, and is good for this accuser alone."""
    types = ("address", "uint8", "uint64", "uint64", "bytes")
    digest = keccak256(encode(types, astuple(accusation), "accusation"))
    return Digest(keccak256(encode(("address", "bytes32"), (accuser, digest), "announcement")))


def compute_node_announcement(accuser: Address, first: SignedCommit, second: SignedCommit) -> Digest:
    """Return what an accuser announces of a node that signed two commits to one opening."""
    types = ("uint64", "uint64", "address", _SIGNED, _SIGNED)
    digest = keccak256(encode(types, _show_commits(first, second), "two commits"))
    return Digest(keccak256(encode(("address", "bytes32"), (accuser, digest), "announcement")))


def _show_commits(first: SignedCommit, second: SignedCommit) -> tuple[object, ...]:
    signed = ((one.commitment, one.signature) for one in (first, second))
    return first.task, first.round, first.node, *signed


async def read_coordinator(chain: Chain, prover: str, at: At) -> Address:
    """Return the coordinator that one of the network's provers was made for, by the prover's name in PROVERS."""
    function = load(prover).functions["coordinator"]
    (coordinator,) = await chain.call(chain.deployment.provers[prover], function, at=at)
    return Address(coordinator)


class Disputes(Contract):
    """Disputes: the set of provers, announced proofs, convictions, sleep."""

    name = "Disputes"

    async def part(self, name: str, at: At) -> Address:
        """Return an address that it works with: "token", "registry", "distributor" or "coordinator"."""
        return Address(await self._read(name, at=at))

    async def is_prover(self, prover: Address, time: Timestamp, at: At) -> bool:
        """Whether a prover was in the set at the end of a second: of a round's opening, whether it is the round's."""
        return bool(await self._read("isProver", prover, time, at=at))

    async def announced_in(self, digest: Digest, at: At) -> BlockNumber:
        """Return the block in which a proof was announced; 0: never."""
        return BlockNumber(await self._read("announcedIn", digest, at=at))

    def announce(self, digest: Digest) -> Call:
        """Announce a proof; see `compute_announcement`. Anyone."""
        return self._call("announce", digest)

    def convict(self, accusation: Accusation, result: Result, statement: Statement) -> Call:
        """Prove a posted or frozen result wrong. Anyone who announced the proof in an earlier block."""
        a = accusation
        return self._call(
            *("convict", a.prover, a.claim, a.task, a.round, astuple(result), astuple(statement), a.proof)
        )

    def convict_node(self, first: SignedCommit, second: SignedCommit) -> Call:
        """Show two commits of a node to one opening. Anyone who announced them in an earlier block."""
        return self._call("convictNode", *_show_commits(first, second))

    def set_prover(self, prover: Address, *, allowed: bool) -> Call:
        """Take a prover into the set, for rounds that open from then on, or out of it. Only the DAO."""
        return self._call("setProver", prover, allowed)

    async def slept_after(self, task: TaskId, node: Address, at: At) -> RoundId:
        """Return the round after which a Supernode was put to sleep last; 0: never."""
        return RoundId(await self._read("sleptAfter", task, node, at=at))

    def sleep(self, task: TaskId, round_id: RoundId, node: Address, proof: bytes) -> Call:
        """Put a Supernode to sleep that was absent from a round and the two before it. Anyone."""
        return self._call("sleep", task, round_id, node, proof)

    async def demand_of(self, task: TaskId, round_id: RoundId, place: Demandable, at: At) -> DemandState:
        """Return a demand."""
        return DemandState(*await self._read("demandOf", task, round_id, place, at=at))

    async def demand_bond(self, tree: int, at: At) -> Wei:
        """Return the bond that a demand needs in a block, in the chain's coin."""
        return Wei(await self._read("demandBond", tree, at=at))

    def demand(self, task: TaskId, round_id: RoundId, place: Demandable, bond: Wei) -> Call:
        """Demand a leaf of a posted or frozen result. Anyone, for a bond in the chain's coin."""
        return replace(self._call("demand", task, round_id, place), value=bond)

    def answer(
        self,
        task: TaskId,
        round_id: RoundId,
        place: Demandable,
        result: Result,
        statement: Statement,
        content: bytes,
    ) -> Call:
        """Answer a demand, and be paid its bond. Anyone."""
        stated = astuple(result), astuple(statement)
        return self._call("answer", task, round_id, place, *stated, content)

    def expire_demand(self, task: TaskId, round_id: RoundId, place: Demandable) -> Call:
        """End a demand that nobody answered. Anyone; from its deadline on where the round stands."""
        return self._call("expire", task, round_id, place, label="expire demand")
