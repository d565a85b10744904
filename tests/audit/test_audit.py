"""Audits of rounds that went right, and of rounds whose Superlink cheats as well as it can: the audit names how."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dao.audit import Outcome, exit_code, statement_checks
from dao.audit.auditor import CHECKS
from dao.audit.evidence import read_record
from dao.audit.findings import Differs
from dao.audit.replay import find_differences
from dao.audit.statement_checks import check_members
from dao.chain.contracts import Coordinator
from dao.core.constants import MAX_MANIFEST, UPDATE_MAGIC
from dao.core.formats.canonical import write_canonical
from dao.core.formats.cid import Cid
from dao.core.formats.manifest import dump_manifest
from dao.core.types import RoundId, Status, Timestamp
from dao.errors import Reverted
from dao.store.cid import cid_of_bytes
from dao.store.disk import DiskStore
from tests.audit.cheats import CHEATS, Cheat, node_of, with_node
from tests.audit.stage import TAMPERED, Stage, audit_of, failed, unchecked
from tests.support import digest

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_audit__honest_rounds__all_checks_hold(stage: Stage) -> None:
    for checks in (
        await audit_of(stage.world, 1, stage.cache, stage.folder, stage.world.assignment.store),
        await stage.audit(stage.manifest),
    ):
        assert exit_code([*checks.values()]) == 0, [c for c in checks.values() if c.outcome is not Outcome.OK]
    assert stage.stated(stage.manifest) == stage.honest
    assert find_differences(stage.manifest, stage.resettled(stage.manifest)) == []


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.__name__)
async def test_audit__superlink_cheats__is_named(stage: Stage, cheat: Cheat) -> None:
    checks = await stage.audit(*await cheat(stage))
    assert failed(checks) >= CHEATS[cheat]
    assert exit_code([*checks.values()]) == 1


@pytest.mark.parametrize(
    ("field", "caught"),
    [
        ("statement", {"result"}),
        ("model_digest", {"round", "model"}),
        ("accounts_root", {"result"}),
        ("inputs", {"result"}),
        ("revealed", {"result"}),
        ("weight_sum", {"result"}),
        ("reward_total", {"result"}),
    ],
)
async def test_audit__result_not_as_in_the_manifest__is_named(
    stage: Stage, field: str, caught: set[str]
) -> None:
    true = getattr(stage.honest, field)
    other = digest(7) if isinstance(true, bytes) else true - 1
    changes: dict[str, Any] = {field: other}
    result = replace(stage.honest, **changes)
    if field == "revealed":
        result = replace(result, inputs=result.inputs - 1)  # the chain wants it to be no more
    checks = await stage.audit(stage.manifest, result)
    assert failed(checks) == caught


@pytest.mark.parametrize("field", ["commits_root", "seed", "forced_hash"])
async def test_post_result__commits_not_as_closed__is_refused_by_the_chain(stage: Stage, field: str) -> None:
    changes: dict[str, Any] = {field: digest(7)}
    result = replace(stage.honest, **changes)
    world = stage.world
    async with world.network.chain() as chain, world.network.sender(chain, world.bonded.operator) as sender:
        coordinator = Coordinator(chain)
        with pytest.raises(Reverted):
            await sender.send(coordinator.post_result(world.task, RoundId(TAMPERED), result))


async def audit_without(stage: Stage, cid: Cid, folder: Path, *, corrupt: bool) -> tuple[set[str], int]:
    """Audit the honest round where one content is gone, or has another byte; what is unchecked, and the exit code."""
    sources = [folder / "superlink", folder / "proposer"]
    shutil.copytree(stage.folder, sources[0])
    shutil.copytree(stage.world.assignment.store, sources[1])
    for source in sources:
        path = DiskStore(source).path_of(cid)
        if corrupt and path.exists():
            path.chmod(0o644)
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        else:
            path.unlink(missing_ok=True)
    async with stage.posted(stage.honest, dump_manifest(stage.manifest)):
        checks = await audit_of(stage.world, TAMPERED, folder / "cache", *sources)
    assert failed(checks) == set()
    return unchecked(checks), exit_code([*checks.values()])


AFTER_UPDATES = {"updates", "weights", "model", "reference gradient", "scores", "losses", "metric"}
CONTENT = {
    "update": AFTER_UPDATES,
    "invalid update": AFTER_UPDATES,
    "base model": AFTER_UPDATES | {"base model", "gate gradient"},
    "gate gradient": {"gate gradient", "weights"},
    "gradient": {"reference gradient", "scores"},
    "shard": {"shard", "gate gradient", "reference gradient", "losses", "metric"},
    "app": {"app", "gate gradient", "reference gradient", "losses", "metric"},
    "manifest": {*CHECKS} - {"record", "result hash", "parent"},
    "parent": {"parent", "shard draw", "payouts", "weights", "scores"},
    "model": set(),  # it is computed again
}


@pytest.mark.parametrize("corrupt", [False, True], ids=["missing", "corrupt"])
@pytest.mark.parametrize("kind", CONTENT)
async def test_audit__content_cannot_be_read__is_unchecked(
    stage: Stage, kind: str, corrupt: bool, tmp_path: Path
) -> None:
    manifest = stage.manifest
    rules = await stage.world.assignment.rules(stage.world.bonded.operator)
    store = DiskStore(stage.world.assignment.store)
    cids = {
        "update": node_of(manifest, Status.OK).cid,
        "invalid update": node_of(manifest, Status.INVALID).cid,
        "base model": manifest.base_model,
        "gate gradient": manifest.gate_gradient,
        "gradient": manifest.gradient,
        "shard": manifest.shard.cid,
        "app": await store.resolve(rules.app_hash),
        "manifest": cid_of_bytes(dump_manifest(manifest)),
        "parent": cid_of_bytes(dump_manifest(stage.previous)),
        "model": manifest.model,
    }
    cid = cids[kind]
    assert cid is not None
    found, code = await audit_without(stage, cid, tmp_path, corrupt=corrupt)
    assert found == CONTENT[kind]
    assert code == (2 if found else 0)


async def test_audit__manifest_too_large__is_named(stage: Stage) -> None:
    checks = await stage.audit(bytes(MAX_MANIFEST + 1))
    assert failed(checks) == {"manifest"}
    assert exit_code([*checks.values()]) == 1


async def test_audit__invalid_update_with_lists_as_names__is_invalid_as_stated(stage: Stage) -> None:
    header = write_canonical({"codec": "int8", "tensors": [[["w"], [64]]]})
    content = UPDATE_MAGIC + len(header).to_bytes(4, "big") + header + bytes(260)
    manifest = with_node(stage.manifest, Status.INVALID, cid=await stage.put(content), fault=None)
    checks = await stage.audit(replace(manifest, loss_after=stage.manifest.loss_after * 2))
    assert checks["updates"].outcome is Outcome.OK
    assert checks["losses"].outcome is Outcome.FAILED


async def test_audit__check_fails_by_an_error_of_its_own__is_unchecked_and_the_others_are_made(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise TypeError("unhashable\ntype")

    monkeypatch.setattr(statement_checks, "check_members", broken)
    checks = await stage.audit(stage.manifest)
    assert (failed(checks), unchecked(checks)) == (set(), {"members"})
    assert exit_code([*checks.values()]) == 2
    detail = checks["members"].detail
    assert "by an error of the audit itself" in detail
    assert "TypeError" in detail
    assert "\n" not in detail
    checks = await stage.audit(replace(stage.manifest, loss_after=stage.manifest.loss_after * 2))
    assert exit_code([*checks.values()]) == 1


async def test_check_members__closed_before_the_deadline_without_all__differs(stage: Stage) -> None:
    """As by a Superlink whose friend commits to it and on chain, which counts twice there."""
    world = stage.world
    async with stage.posted(stage.honest, dump_manifest(stage.manifest)), world.network.chain() as chain:
        record = await read_record(chain, world.task, RoundId(TAMPERED))
    assert "absent" in check_members(record, stage.manifest)
    early = replace(record.state, closed_at=Timestamp(record.state.opened_at + 1))
    with pytest.raises(Differs, match="closed too early, while 1 had neither committed nor passed"):
        check_members(replace(record, state=early), stage.manifest)
    many = replace(record.rules, quorum=9)
    with pytest.raises(Differs, match="8 committed, fewer than the quorum of 9"):
        check_members(replace(record, rules=many), stage.manifest)
