"""The relayer's queue: what the chain's node will never take makes way for the others."""

import asyncio
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dao.api.http.problems import Problem
from dao.api.relay import relayer as module
from dao.api.relay.budget import Budget
from dao.api.relay.relay_jobs import Act, JobState, NonceSpace, RelayJobs
from dao.api.relay.relayer import MAX_DATA, Relayer
from dao.chain.account import NoMoney
from dao.chain.broadcaster import SEND
from dao.chain.contracts import Call
from dao.chain.rpc import NodeError
from dao.core.types import Address, Wei
from dao.errors import RpcError, RuleError

CONTRACT, ONE, TWO = (Address(bytes([byte]) * 20) for byte in (9, 10, 11))
MAX_GAS = 1_000_000


class Chain:
    """Simulates everything at the same gas."""

    def head(self) -> Any:
        return SimpleNamespace(number=1, base_fee=Wei(10**9))

    async def request(self, method: str, *_: Any, **__: Any) -> Any:
        return {"effectiveGasPrice": "0x1"} if "Receipt" in method else hex(10**18)

    async def ask(self, *_: Any) -> str:
        return hex(100_000)


class Sender:
    """Sends, or fails as it is told to for calls of these labels."""

    address = Address(b"\x01" * 20)

    def __init__(self, fails: dict[str, Callable[[], Exception]]) -> None:
        self.sent: list[str] = []
        self._fails = fails

    async def send(self, call: Call, key: str, on_hash: Any = None, most_gas: int | None = None) -> Any:
        assert most_gas == MAX_GAS
        self.sent.append(call.label)
        if call.label in self._fails:
            failure = self._fails[call.label]()
            raise failure
        return SimpleNamespace(hash=bytes(32), block=1, gas_used=1)


def answer(method: str, message: str, code: int = -32000) -> NodeError:
    return NodeError(method, {"code": code, "message": message})


async def pass_() -> Fraction:
    """Check nothing, for an account with all votes."""
    return Fraction(1)


async def settled(relayer: Relayer, job: str) -> None:
    """Wait until a job is done, in one way or the other."""
    async with asyncio.timeout(10):
        while (found := relayer.find(job)) is not None and found.state is JobState.PENDING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Relayer, Sender, RelayJobs]]:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "_RETRY_MAX", 0.01)
    monkeypatch.setattr(module, "_HASH_SECONDS", 0.01)

    def make(**fails: Callable[[], Exception]) -> tuple[Relayer, Sender, RelayJobs]:
        sender, jobs = Sender(fails), RelayJobs(tmp_path / "relay.db")
        budget = Budget(Wei(10**18), MAX_GAS)
        return Relayer(cast("Any", Chain()), cast("Any", sender), jobs, budget), sender, jobs

    return make


@pytest.mark.parametrize(
    "refused",
    [
        lambda: answer(SEND, "oversized data: transaction size 170000, limit 131072"),
        lambda: RuleError("second: needs 16000000 gas, more than the 1000000 that are paid for"),
    ],
)
async def test_relayer__the_node_will_never_take_a_job__it_has_failed_and_the_next_is_done(
    make: Any, refused: Callable[[], Exception]
) -> None:
    relayer, sender, jobs = make(second=refused)
    await relayer.refresh()
    await relayer.submit(Act.VOTE, NonceSpace.GOVERNOR, ONE, 0, 0, Call(CONTRACT, b"1", "first"), pass_)
    bad = await relayer.submit(
        Act.VOTE, NonceSpace.GOVERNOR, ONE, 1, 0, Call(CONTRACT, b"2", "second"), pass_
    )
    good = await relayer.submit(
        Act.VOTE, NonceSpace.GOVERNOR, TWO, 0, 0, Call(CONTRACT, b"3", "third"), pass_
    )
    running = asyncio.create_task(relayer.run())
    await settled(relayer, good.id)
    running.cancel()
    assert sender.sent == ["first", "second", "third"]
    assert relayer.find(bad.id).state is JobState.FAILED
    assert relayer.find(bad.id).detail
    assert jobs.list_pending() == []


async def test_relayer__the_node_cannot_just_now__the_job_is_tried_again(make: Any) -> None:
    answers = [answer("eth_getBalance", "header not found"), answer(SEND, "too many requests")]

    def fail() -> Exception:
        if len(answers) == 1:
            sender._fails.clear()
        return answers.pop(0)

    relayer, sender, _ = make(first=fail)
    await relayer.refresh()
    job = await relayer.submit(Act.VOTE, NonceSpace.GOVERNOR, ONE, 0, 0, Call(CONTRACT, b"1", "first"), pass_)
    running = asyncio.create_task(relayer.run())
    await settled(relayer, job.id)
    running.cancel()
    assert sender.sent == ["first"] * 3
    assert relayer.find(job.id).state is JobState.MINED


PASSING = [
    (-32000, "txpool is full"),
    (-32603, "Internal error"),
    (-32005, "limit exceeded"),
    *((code, "no words") for code in (401, 402, 403, 404, 429, 500, 502, 503)),
]


@pytest.mark.parametrize(("code", "message"), PASSING)
async def test_relayer__the_node_refuses_a_broadcast_for_now__the_job_is_tried_again(
    make: Any, code: int, message: str
) -> None:
    left = 5

    def fail() -> Exception:
        nonlocal left
        left -= 1
        if not left:
            sender._fails.clear()
        return answer(SEND, message, code)

    relayer, sender, _ = make(first=fail)
    await relayer.refresh()
    job = await relayer.submit(Act.VOTE, NonceSpace.GOVERNOR, ONE, 0, 0, Call(CONTRACT, b"1", "first"), pass_)
    running = asyncio.create_task(relayer.run())
    await settled(relayer, job.id)
    running.cancel()
    assert sender.sent == ["first"] * 6
    assert relayer.find(job.id).state is JobState.MINED


@pytest.mark.parametrize(
    "refused",
    [
        *(answer(SEND, message, code) for code, message in PASSING),
        answer("eth_estimateGas", "gas required exceeds allowance"),
        answer("eth_estimateGas", "the method does not exist", -32601),
        answer("eth_estimateGas", "Unauthorized", 401),
        NoMoney("first: account 0x01 cannot pay for gas; send it some"),
    ],
    ids=str,
)
async def test_relayer__the_node_refuses_for_too_long__the_job_has_failed_with_the_reason_and_the_next_is_done(
    make: Any, monkeypatch: pytest.MonkeyPatch, refused: RpcError
) -> None:
    monkeypatch.setattr(module, "_REJECTED_SECONDS", 0.05)
    relayer, sender, jobs = make(first=lambda: refused)
    await relayer.refresh()
    bad = await relayer.submit(Act.VOTE, NonceSpace.GOVERNOR, ONE, 0, 0, Call(CONTRACT, b"1", "first"), pass_)
    good = await relayer.submit(
        Act.VOTE, NonceSpace.GOVERNOR, TWO, 0, 0, Call(CONTRACT, b"2", "second"), pass_
    )
    running = asyncio.create_task(relayer.run())
    await settled(relayer, good.id)
    running.cancel()
    assert sender.sent.count("first") > 1
    failed = relayer.find(bad.id)
    assert (failed.state, failed.cost, failed.detail) == (JobState.FAILED, 0, str(refused))
    assert jobs.list_pending() == []


async def test_relayer__the_chain_is_away__the_job_waits_for_it_however_long(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REJECTED_SECONDS", 0.0)
    left = 10

    def fail() -> Exception:
        nonlocal left
        left -= 1
        if not left:
            sender._fails.clear()
        return RpcError("nothing answers at this address")

    relayer, sender, _ = make(first=fail)
    await relayer.refresh()
    job = await relayer.submit(Act.VOTE, NonceSpace.GOVERNOR, ONE, 0, 0, Call(CONTRACT, b"1", "first"), pass_)
    running = asyncio.create_task(relayer.run())
    await settled(relayer, job.id)
    running.cancel()
    assert relayer.find(job.id).state is JobState.MINED


async def test_relayer__more_data_than_nodes_take__is_refused_at_once(make: Any) -> None:
    relayer, _, jobs = make()
    await relayer.refresh()
    call = Call(CONTRACT, bytes(MAX_DATA + 1), "large")
    with pytest.raises(Problem, match=f"at most {MAX_DATA} are relayed"):
        await relayer.submit(Act.VOTE, NonceSpace.GOVERNOR, ONE, 1, 0, call, pass_)
    assert jobs.list_pending() == []
