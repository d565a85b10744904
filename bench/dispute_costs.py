"""Measures disputes: a Superlink tells each lie on a real chain, and is convicted; what that took is a row."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from bench.disputed_round import (
    SHARD_COUNT,
    SHARDS,
    STAKE,
    TOKEN,
    DisputedRound,
    MadeUp,
    finish,
    make_key,
    make_owner,
)
from bench.lies import Lie, list_lies
from dao.chain.contract_table import FIELDS
from dao.chain.deploy import Params, deploy
from dao.chain.deployment import Deployment
from dao.chain.disputes import Accusation, compute_announcement
from dao.chain.gradient_votes import compute_vote_commitment
from dao.chain.interface import encode, load
from dao.chain.structs import rules_fields
from dao.core.engine.keccak import keccak256
from dao.core.formats.layout import compute_model_root
from dao.core.formats.signed_messages import compute_commit_digest, compute_operator_digest
from dao.core.types import Address, Codec, Digest, Domain, Phase, RoundId, Rules, TaskId, Wei, hex_of
from dao.devnet.anvil import Anvil, dev_signer, running_anvil
from dao.errors import DaoError
from dao.proofs.round_trees import RoundTrees, build_tree

SIZES = ((10, 100), (100, 25), (1000, 1))  # Supernodes, megabytes
TASK, ROUND = TaskId(1), RoundId(1)
GAS = 16_000_000
COINS = hex(10**21)
WINDOW = 86_400  # seconds for challenges
ACCUSER = make_key("accuser", 0).address
SUPERLINK = "superlink"


@dataclass(frozen=True)
class SentCall:
    """A transaction: its gas, and the bytes of its data."""

    gas: int
    size: int
    receipt: dict[str, Any]


@dataclass(frozen=True)
class Court:
    """The deployed contracts on one chain, where anyone's transactions are sent without a key."""

    anvil: Anvil
    deployment: Deployment

    def send(
        self, sender: Address, name: str, function: str, *args: object, value: int = 0, fails: bool = False
    ) -> SentCall:
        """Send a call to a contract of the network or to one of its provers; DaoError where it fails, unless it should."""
        of_network = getattr(self.deployment, FIELDS[name]) if name in FIELDS else None
        to = of_network or self.deployment.provers[name]
        data = load(name).functions[function].encode(*args)
        fields = {"from": hex_of(sender), "to": hex_of(to), "data": hex_of(data), "gas": hex(GAS)}
        receipt = self.anvil.request("eth_sendTransactionSync", {**fields, "value": hex(value)})
        if (int(receipt["status"], 16) == 1) is fails:
            reason = "" if fails else self.explain({**fields, "value": hex(value)})
            raise DaoError(f"{name}.{function}: {'was not refused' if fails else 'was refused'} {reason}")
        return SentCall(int(receipt["gasUsed"], 16), len(data), receipt)

    def explain(self, call: dict[str, str]) -> str:
        """Return why a call is refused."""
        try:
            self.anvil.request("eth_call", call, "latest")
        except DaoError as error:
            return str(error)
        return "in its block alone"

    def read(self, name: str, function: str, *args: object) -> Any:
        """Call a view, and return its one value."""
        method = load(name).functions[function]
        call = {"to": hex_of(getattr(self.deployment, FIELDS[name])), "data": hex_of(method.encode(*args))}
        (value,) = method.decode(bytes.fromhex(self.anvil.request("eth_call", call, "latest")[2:]))
        return value

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back what happens within."""
        before = self.anvil.request("evm_snapshot")
        try:
            yield
        finally:
            self.anvil.request("evm_revert", before)


def make_rules(contents: MadeUp, count: int) -> Rules:
    """Rules of a task with real periods."""
    some = Digest(b"\1" * 32)
    return Rules(
        superlink=make_key(SUPERLINK, 0).address,
        commit_period=3600,
        reveal_period=3600,
        result_period=3600,
        challenge_period=WINDOW,
        resolve_period=86_400,
        quorum=min(2, count),
        shards=SHARD_COUNT,
        body_depth=contents.depth,
        codec=Codec.INT8,
        admitted_only=False,
        close_after=3600,
        close_share=100,
        max_in_flight=64,
        min_stake=STAKE,
        max_stake=STAKE,
        round_budget=Wei(10 * TOKEN),
        superlink_bond=Wei(500 * TOKEN),
        challenge_bond=Wei(5 * TOKEN),
        app_hash=some,
        base_model=some,
        validation_root=SHARDS.root,
        chunks=contents.base.layout.chunks,
        scored_chunks=contents.base.layout.scored_chunks,
        card=some,
        base_model_root=compute_model_root(contents.base, contents.depth),
    )


async def open_court(anvil: Anvil, folder: Path, rules: Rules, count: int) -> Court:
    """Deploy a network, and have its Superlink and so many Supernodes stake and join the first task."""
    params = Params(supply=Wei(10**9 * TOKEN), minimum_stake=STAKE)
    deployment = await deploy(anvil.ws, dev_signer(0), params, folder / "deployer.db")
    anvil.request("anvil_autoImpersonateAccount", True)
    court, dao = Court(anvil, deployment), deployment.timelock
    members = [(make_key(SUPERLINK, 0), make_owner(count), 10 * STAKE)]
    members += [(make_key("node", i), make_owner(i), STAKE) for i in range(count)]
    for account in (dao, ACCUSER, *(owner for _, owner, _ in members), members[0][0].address):
        anvil.request("anvil_setBalance", hex_of(account), COINS)
    chain_id = int(anvil.request("eth_chainId"), 16)
    for signer, owner, stake in members:
        court.send(dao, "DaoToken", "transfer", owner, stake)
        court.send(owner, "DaoToken", "approve", deployment.registry, stake)
        consent = compute_operator_digest(chain_id, deployment.registry, owner, signer.address)
        court.send(owner, "SupernodeRegistry", "register", signer.address, stake, signer.sign(consent))
    court.send(dao, "DaoToken", "approve", deployment.distributor, 100 * TOKEN)
    court.send(dao, "TrainingCoordinator", "createTask", rules_fields(rules), 100 * TOKEN)
    for signer, owner, _ in members[1:]:
        court.send(owner, "TrainingCoordinator", "join", TASK, signer.address)
    court.send(ACCUSER, "TrainingCoordinator", "openRound", TASK)
    return court


def close(court: Court, trees: RoundTrees, passes: int, past: int = 0) -> RoundTrees:
    """Close the commits of the round with the tree; return the trees with the seed that it drew, as `finish` does."""
    opened = court.read("TrainingCoordinator", "roundOf", TASK, ROUND)
    commits = len(trees.commits)
    root = trees.result.commits_root
    superlink = make_key(SUPERLINK, 0).address
    numbers = (opened[0], root, bytes(32), commits, passes)
    closed = court.send(superlink, "TrainingCoordinator", "closeCommits", TASK, ROUND, *numbers)
    seed = Digest(bytes.fromhex(closed.receipt["logs"][0]["data"][2:])[-32:])
    revealed = replace(trees.result, revealed=commits, inputs=min(trees.result.inputs, commits))
    return finish(replace(trees, result=revealed), seed, past)


def post(court: Court, trees: RoundTrees) -> None:
    """Post the result."""
    superlink = make_key(SUPERLINK, 0).address
    court.send(superlink, "TrainingCoordinator", "postResult", TASK, ROUND, astuple(trees.result))


def is_void(court: Court) -> bool:
    """Return whether the result stands no longer."""
    state = court.read("TrainingCoordinator", "roundOf", TASK, ROUND)
    return bool(state[7] == Phase.VOID)


def accuse(court: Court, lie: Lie) -> dict[str, Any]:
    """Tell a lie, prove it, and return what that took."""
    trees = close(court, lie.trees, lie.passes, lie.past)
    post(court, trees)
    stated = astuple(trees.result), astuple(trees.statement)
    sent: list[SentCall] = []
    if lie.demand is not None:
        place = int(lie.demand.tree), lie.demand.outer, lie.demand.index
        sent.append(court.send(ACCUSER, "Disputes", "demand", TASK, ROUND, place, value=10**17))
        superlink = make_key(SUPERLINK, 0).address
        answer = (TASK, ROUND, place, *stated, lie.answer())
        sent.append(court.send(superlink, "Disputes", "answer", *answer))
    build_tree.cache_clear()
    begun = time.perf_counter()
    proof = lie.prove_drawn(trees) if lie.prove_drawn else lie.prove()
    parts = [part() for part in lie.parts]
    seconds = time.perf_counter() - begun
    place_of = (trees.statement.inputs_root, court_depth(court), Codec.INT8.number)
    sent += [court.send(ACCUSER, "SumProver", "record", *place_of, part) for part in parts]
    accusation = Accusation(court.deployment.provers[lie.prover], lie.claim, TASK, ROUND, proof)
    sent.append(court.send(ACCUSER, "Disputes", "announce", compute_announcement(ACCUSER, accusation)))
    named = (accusation.prover, int(accusation.claim), TASK, ROUND)
    sent.append(court.send(ACCUSER, "Disputes", "convict", *named, *stated, proof))
    how = "one transaction" if lie.demand is None else "demand"
    return make_row(lie.name, how, sent, seconds, convicted=is_void(court))


def court_depth(court: Court) -> int:
    """Return the depth of the task's bodies."""
    return int(court.read("TrainingCoordinator", "rulesOf", TASK)[8])


def vote(court: Court, name: str, honest: RoundTrees, nodes: int) -> dict[str, Any]:
    """A gradient that is not the app's follows from no tree: a member accuses it, and all jurors vote that it is wrong."""
    trees = close(court, honest, 0)
    post(court, trees)
    members = [make_key("node", index).address for index in range(nodes)]
    court.anvil.request("anvil_setBalance", hex_of(members[0]), COINS)
    result = court.read("TrainingCoordinator", "roundOf", TASK, ROUND)[-1]
    sent = [court.send(members[0], "GradientVote", "accuse", TASK, ROUND, result)]
    court.anvil.request("anvil_mine", "0x2")
    jurors = [member for member in members if court.read("GradientVote", "weightOf", TASK, ROUND, member)]
    salt = Digest(b"\1" * 32)
    for juror in jurors:
        court.anvil.request("anvil_setBalance", hex_of(juror), COINS)
        commitment = compute_vote_commitment(juror, TASK, ROUND, salt, is_wrong=True)
        sent.append(court.send(juror, "GradientVote", "commitVote", TASK, ROUND, result, commitment))
    court.anvil.request("evm_increaseTime", WINDOW // 8)
    sent += [court.send(juror, "GradientVote", "revealVote", TASK, ROUND, True, salt) for juror in jurors]
    sent.append(court.send(ACCUSER, "GradientVote", "judge", TASK, ROUND))
    return make_row(name, "vote", sent, 0.0, convicted=is_void(court))


def accuse_node(court: Court, case: DisputedRound) -> dict[str, Any]:
    """A Supernode signs two commits to one opening: it loses the minimum stake, and the round stays."""
    signer, place = case.signers[0], case.place

    def sign(word: bytes) -> tuple[bytes, bytes]:
        commitment = Digest(word * 32)
        digest = compute_commit_digest(case.domain, *place, signer.address, commitment)
        return commitment, signer.sign(digest)

    begun = time.perf_counter()
    named = (TASK, ROUND, signer.address, sign(b"\1"), sign(b"\2"))
    types = ("uint64", "uint64", "address", "(bytes32,bytes)", "(bytes32,bytes)")
    proof = keccak256(encode(types, named, "two commits"))
    digest = keccak256(encode(("address", "bytes32"), (ACCUSER, proof), "announcement"))
    seconds = time.perf_counter() - begun
    sent = [court.send(ACCUSER, "Disputes", "announce", digest)]
    sent.append(court.send(ACCUSER, "Disputes", "convictNode", *named))
    slashed = len(sent[-1].receipt["logs"]) > 1
    return make_row("two commits", "one transaction", sent, seconds, convicted=slashed)


def refuse(court: Court, honest: RoundTrees) -> dict[str, Any]:
    """Another seed than that of the closing: the coordinator takes no such result, so that nothing is left to prove."""
    trees = close(court, honest, 0)
    other = replace(trees.result, seed=Digest(b"\2" * 32))
    superlink = make_key(SUPERLINK, 0).address
    call = (superlink, "TrainingCoordinator", "postResult", TASK, ROUND, astuple(other))
    return make_row("seed", "refused when posted", [court.send(*call, fails=True)], 0.0, convicted=True)


def make_row(
    lie: str, how: str, sent: Sequence[SentCall], seconds: float, *, convicted: bool
) -> dict[str, Any]:
    """Return a row; gas and bytes are those of the largest transaction."""
    return {
        "lie": lie,
        "how": how,
        "transactions": len(sent),
        "gas": max(one.gas for one in sent),
        "bytes": max(one.size for one in sent),
        "seconds_to_build": round(seconds, 3),
        "convicted": convicted,
    }


async def measure(nodes: int, mb: int) -> list[dict[str, Any]]:
    """Tell every lie about a round of so many nodes and megabytes, each on the same chain; return a row for each."""
    contents = MadeUp.make(mb)
    rules = make_rules(contents, nodes)
    rows: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(prefix="commonweight-bench-") as name,
        running_anvil(Path(name)) as anvil,
    ):
        court = await open_court(anvil, Path(name), rules, nodes)
        domain = Domain(int(anvil.request("eth_chainId"), 16), court.deployment.coordinator)
        state = court.read("TrainingCoordinator", "roundOf", TASK, ROUND)
        opening = Digest(state[8])
        case = DisputedRound.make(contents, rules, domain, opening, nodes)
        for lie in list_lies(case, SUPERLINK):
            with court.undone():
                rows.append(accuse(court, lie))
        for lie_name in ("gradient", "gate gradient"):
            with court.undone():
                rows.append(vote(court, lie_name, case.trees, nodes))
        with court.undone():
            rows.append(accuse_node(court, case))
        with court.undone():
            rows.append(refuse(court, case.trees))
    return [{"nodes": nodes, "mb": mb, **row} for row in rows]
