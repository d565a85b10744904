import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dao.chain.client import Chain
from dao.chain.contract_table import PROVERS
from dao.chain.contracts import Coordinator, Distributor, Registry, Token
from dao.chain.deploy import (
    TOKEN,
    Params,
    compute_created_address,
    create_task,
    deploy,
    grant,
    timelock_execute,
)
from dao.chain.deployment import Deployment
from dao.chain.disputes import Disputes
from dao.chain.governance import Timelock
from dao.chain.sender import Sender
from dao.chain.signer import Signer
from dao.core.types import Address, Wei, hex_of
from dao.devnet.anvil import Anvil, dev_signer, running_anvil, start_anvil
from dao.errors import ConfigError, Reverted, RpcError
from tests.support import GAS_MONEY, RULES, Network

PARAMS = Params(minimum_stake=Wei(7 * TOKEN), unbonding_period=86_400)


async def test_deploy__a_chain__contracts_that_know_each_other_and_the_timelock_owns(
    anvil: Anvil, tmp_path: Path
) -> None:
    made = await deploy(anvil.ws, dev_signer(2), PARAMS, tmp_path / "outbox")
    async with await Chain.connect(anvil.ws, made) as chain:
        at = chain.head()
        token, registry = Token(chain), Registry(chain)
        assert await token.total_supply(at) == PARAMS.supply == await token.balance_of(made.timelock, at)
        assert await registry.minimum_stake(at) == 7 * TOKEN
        assert await registry.unbonding_period(at) == 86_400
        assert await Timelock(chain).min_delay(at) == 0
        for contract, name in ((registry, "owner"), (Coordinator(chain), "owner")):
            assert await contract._read(name, at=at) == made.timelock
        assert await Distributor(chain)._read("coordinator", at=at) == made.coordinator
        assert await Coordinator(chain).disputes(at) == made.disputes
        assert await registry._read("isSlasher", made.disputes, at=at)
        assert tuple(made.provers) == PROVERS
        for prover in made.provers.values():
            assert await Disputes(chain).is_prover(prover, at.timestamp, at)
        first = await chain.block(made.block)
        assert first is not None
        assert first.number <= at.number


async def test_deploy__interrupted__goes_on_where_it_was(anvil: Anvil, tmp_path: Path) -> None:
    whole = await deploy(anvil.ws, dev_signer(3), PARAMS, tmp_path / "outbox")
    assert await deploy(anvil.ws, dev_signer(3), PARAMS, tmp_path / "outbox") == whole


async def test_deployment__saved__loads_equal(network: Network, tmp_path: Path) -> None:
    network.deployment.save(tmp_path / "network.json")
    assert Deployment.load(tmp_path / "network.json") == network.deployment


async def test_deployment__missing_or_wrong__named(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    with pytest.raises(ConfigError, match="not a deployment"):
        Deployment.load(path)
    network.deployment.save(path)
    fields = json.loads(path.read_text())
    for name, bad in (("token", "0x12"), ("timelock", None), ("chain_id", "1"), ("block", -1)):
        path.write_text(json.dumps({**fields, name: bad}))
        with pytest.raises(ConfigError, match=name):
            Deployment.load(path)
    for name in PROVERS:
        provers = {**fields["provers"], name: "0x12"}
        path.write_text(json.dumps({**fields, "provers": provers}))
        with pytest.raises(ConfigError, match=name):
            Deployment.load(path)
    path.write_text(json.dumps({**fields, "provers": None}))
    with pytest.raises(ConfigError, match=PROVERS[0]):
        Deployment.load(path)
    path.write_text("[]")
    with pytest.raises(ConfigError, match="JSON object"):
        Deployment.load(path)


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 255, 256, 70_000])
def test_created_address__any_nonce__as_anvil_says(anvil: Anvil, nonce: int) -> None:
    account = Signer.ephemeral().address
    anvil.request("anvil_setNonce", hex_of(account), hex(nonce))
    anvil.fund(account, GAS_MONEY)
    anvil.request("anvil_impersonateAccount", hex_of(account))
    digest = anvil.request(
        "eth_sendTransaction", {"from": hex_of(account), "data": "0x00", "gas": hex(100_000)}
    )
    anvil.request("evm_mine")  # whatever is still on its way into a block is in this one
    receipt = anvil.request("eth_getTransactionReceipt", digest)
    assert receipt["contractAddress"] == hex_of(compute_created_address(account, nonce))


async def test_grant__many_accounts__each_has_its_tokens(network: Network) -> None:
    amounts = {Address(number.to_bytes(20, "big")): Wei(number) for number in range(1, 151)}
    async with network.chain() as chain, network.dao(chain) as dao:
        await grant(chain, dao, amounts, "grant")
        await grant(chain, dao, amounts, "grant")  # repeated after a crash: nothing more
        at = chain.head()
        for account, amount in list(amounts.items())[::40]:
            assert await Token(chain).balance_of(account, at) == amount


async def test_create_task__rules_and_funds__as_asked(network: Network) -> None:
    rules = replace(RULES, quorum=3, admitted_only=True)
    async with network.chain() as chain, network.dao(chain) as dao:
        task = await create_task(chain, dao, rules, Wei(50 * TOKEN), "task")
        assert await create_task(chain, dao, rules, Wei(50 * TOKEN), "task") == task
        at = chain.head()
        assert await Coordinator(chain).rules_of(task, at) == rules
        assert await Coordinator(chain).task_count(at) == task
        assert await Distributor(chain).funded_of(task, at) == 50 * TOKEN
        assert await Distributor(chain).available_of(task, at) == 50 * TOKEN


async def test_timelock__rules_out_of_range__reverted_with_the_contracts_word(network: Network) -> None:
    async with network.chain() as chain, network.dao(chain) as dao:
        with pytest.raises(Reverted, match="the rule quorum: expected 1 to 1,048,576 Supernodes") as caught:
            await create_task(chain, dao, replace(RULES, quorum=0), Wei(0))
        assert caught.value.arguments == ("quorum",)


async def test_timelock__not_a_proposer__refused(network: Network) -> None:
    async with network.chain() as chain, network.sender(chain, Signer.ephemeral()) as stranger:
        with pytest.raises(Reverted, match="lacks the role") as caught:
            await timelock_execute(chain, stranger, [Coordinator(chain).pause()])
        assert caught.value.error == "AccessControlUnauthorizedAccount"


async def test_timelock__with_a_delay__waits_for_block_time(anvil: Anvil, tmp_path: Path) -> None:
    made = await deploy(anvil.ws, dev_signer(4), PARAMS, tmp_path / "outbox")
    async with (
        await Chain.connect(anvil.ws, made) as chain,
        Sender(chain, dev_signer(4), tmp_path / "outbox") as sender,
    ):
        await timelock_execute(chain, sender, [Timelock(chain).update_delay(3600)])
        pausing = asyncio.create_task(timelock_execute(chain, sender, [Coordinator(chain).pause()]))
        await asyncio.sleep(0.3)
        assert not pausing.done()
        anvil.request("evm_increaseTime", 3600)
        anvil.request("evm_mine")
        await asyncio.wait_for(pausing, 20)
        assert await Coordinator(chain)._read("paused", at=chain.head())


def test_anvil__state_file__survives_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    account = Signer.ephemeral().address
    anvil = start_anvil(tmp_path, state=state)
    anvil.fund(account, Wei(12345))
    anvil.request("evm_mine")
    anvil.stop()
    for _ in range(2):
        anvil = start_anvil(tmp_path, anvil.port, state=state)
        assert int(anvil.request("eth_getBalance", hex_of(account), "latest"), 16) == 12345
        anvil.kill()


def test_anvil__its_starter_killed__ends_too(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from dao.devnet.anvil import start_anvil\n"
        "anvil = start_anvil(Path(sys.argv[1])); print(anvil.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as starter:
        assert starter.stdout is not None
        shell = psutil.Process(int(starter.stdout.readline()))
        family = [shell, *shell.children()]
        assert len(family) >= 2
        starter.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_anvil__port_taken__said(tmp_path: Path) -> None:
    with running_anvil(tmp_path / "one") as anvil, pytest.raises(RpcError, match="did not start"):
        start_anvil(tmp_path / "two", anvil.port)


async def test_anvil__block_time__passes_without_transactions(tmp_path: Path) -> None:
    with running_anvil(tmp_path, block_time=1) as anvil:
        async with await Chain.connect(anvil.ws) as chain:
            begin = chain.head()
            later = await chain.reach(block=begin.number + 2, limit=20)  # type: ignore[arg-type]
            assert later.timestamp > begin.timestamp
