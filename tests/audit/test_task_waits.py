"""Whom a task waits for, phase by phase, and who was missing in its newest result."""

from dataclasses import replace
from pathlib import Path

import pytest

from dao.audit.site_states import SiteReader, SiteStanding, SiteState, TaskSites
from dao.audit.task_waits import UNHEARD, TaskWait, read_missing, read_waits
from dao.chain.contracts import Coordinator
from dao.core.formats.manifest import Absent, Pass, dump_manifest
from dao.core.statement import compute_result
from dao.core.types import ZERO_DIGEST, Phase, RoundId, Signature, Status, Timestamp, hex_of
from dao.devnet.anvil import Anvil
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from tests.index.world import manifest_of, root_of
from tests.support import RULES, Network, deploy_network

ROUND = RoundId(1)


@pytest.fixture(scope="module")
def network(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Network:
    return deploy_network(anvil, tmp_path_factory.mktemp("network"))


async def test_task__from_opening_to_final__names_whom_it_waits_for_and_since_when(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, superlink, members = await network.new_round_ready(2)
    store = DiskStore(tmp_path / "store")
    async with network.chain() as chain, network.sender(chain, superlink.operator) as sender:
        coordinator = Coordinator(chain)
        assert await read_waits(chain, task) == []
        assert await read_missing(chain, task, store) == []
        reader = SiteReader(chain, task, store)
        assert await reader.read() == TaskSites()
        opened = await sender.send(coordinator.open_round(task))
        begin = opened.events[0].timestamp
        waits = await read_waits(chain, task)
        assert waits == [
            TaskWait(ROUND, node, "commit", begin, begin + RULES.commit_period, UNHEARD)  # type: ignore[arg-type]
            for node in sorted(hex_of(member.operator.address) for member in members)
        ]
        found = await reader.read()
        assert (found.round, found.phase, found.news) == (ROUND, Phase.OPEN, "")
        sites = found.sites
        assert [(site.node, str(site.standing), site.round) for site in sites] == [
            (wait.who, "waiting", ROUND) for wait in waits
        ]
        assert sites[0].why.startswith("its commit is due until 20")
        with monkeypatch.context() as patched:  # all of it is read at one block
            blocks = [chain.final()]
            patched.setattr(chain, "final", blocks.pop)
            assert await read_waits(chain, task) == waits
            blocks.append(chain.head())
            assert (await reader.read()).sites == sites
        assert str(waits[0]).startswith(f"round 1 awaits the commit of {waits[0].who} since 20")

        where = (task, ROUND, opened.events[0].block)
        closed = await sender.send(coordinator.close_commits(*where, root_of(members), ZERO_DIGEST, 2, 0))
        end = closed.events[0].timestamp
        [wait] = await read_waits(chain, task)
        assert (wait.who, wait.awaited, wait.since) == (hex_of(superlink.operator.address), "result", end)
        assert {site.why[:33] for site in (await reader.read()).sites} == {
            "the round's result is due until 2"
        }
        assert wait.until == end + RULES.reveal_period + RULES.result_period

        seed = closed.events[0].seed  # type: ignore[attr-defined]
        manifest = manifest_of(network, task, seed, {members[0]: 3000, members[1]: 1000})
        wrong = replace(manifest.nodes[0], status=Status.INVALID, reason="a value is no number")
        stranger = Absent(superlink.owner.address, superlink.owner.address, "no sign of it")
        passed = Pass(
            members[1].owner.address, members[1].owner.address, Signature(bytes(65)), "training\u202e failed"
        )
        manifest = replace(manifest, nodes=(wrong, manifest.nodes[1]), absent=(stranger,), passes=(passed,))
        content = dump_manifest(manifest)
        await store.put_bytes(content)
        result = compute_result(manifest, (), manifest.model.digest, cid_of_bytes(content).digest)
        posted = await sender.send(coordinator.post_result(task, ROUND, result))
        [wait] = await read_waits(chain, task)
        assert (wait.awaited, wait.until) == ("end", posted.events[0].timestamp + RULES.challenge_period)
        missing = await read_missing(chain, task, store)
        assert {(one.node, one.status, one.since) for one in missing} == {
            (hex_of(wrong.node), "invalid", end),
            (hex_of(stranger.node), "absent", begin),
            (hex_of(passed.node), "passed", begin),
        }
        assert {one.why for one in missing if one.status == "passed"} == {"training\u202e failed"}
        states = {site.node: site for site in (await reader.read()).sites}
        counted = hex_of(manifest.nodes[1].node)
        assert states == {
            hex_of(wrong.node): SiteState(
                hex_of(wrong.node), SiteStanding.FAILED, ROUND, "a value is no number"
            ),
            hex_of(stranger.node): SiteState(
                hex_of(stranger.node), SiteStanding.FAILED, ROUND, "no sign of it"
            ),
            hex_of(passed.node): SiteState(
                hex_of(passed.node), SiteStanding.PASSING, ROUND, "training failed"
            ),
            counted: SiteState(counted, SiteStanding.COUNTED, ROUND, manifest.nodes[1].reason),
        }
        await sender.send(coordinator.open_round(task))
        again = {site.node: site for site in (await reader.read()).sites}[hex_of(wrong.node)]
        assert (again.standing, again.round) == ("waiting", ROUND + 1)
        assert again.why.endswith("; in round 1 failed: a value is no number")
        assert all(str(one).startswith(f"round 1 missed {one.node} since 20") for one in missing)

        late = Timestamp(chain.head().timestamp + RULES.commit_period + RULES.result_period + 1)
        network.anvil.request("anvil_setNextBlockTimestamp", late)
        network.anvil.request("evm_mine")
        await chain.reach(timestamp=late, limit=30)
        await sender.send(coordinator.abort(task, RoundId(2)))
        found = await reader.read()
        assert found.phase is Phase.ABORTED
        assert found.news.startswith(
            "round 2 was aborted; whether its card ends it is not known: the card 0x00000000… cannot be had"
        )
        assert {site.node: site for site in found.sites} == states
