"""The vectors that Solidity runs too: the files are what the script writes, and other implementations agree."""

import json
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from dao.chain.signer import recover
from dao.core.constants import SHARDS_DEPTH
from dao.core.engine.merkle import verify
from dao.core.formats.address import address_of
from dao.core.formats.cid import Cid
from dao.core.formats.signed_messages import TYPES, compute_commit_digest
from dao.core.round_machine import draw_shard
from dao.core.types import Digest, Domain
from tests.vectors import make
from tests.vectors.play_round import play

VECTORS = Path(make.__file__).parent
ROOT = VECTORS.parents[1]


def vector(name: str, folder: Path = VECTORS) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def check_accounts(accounts: Any) -> None:
    total = 0
    for place, row in enumerate(accounts["rows"]):
        leaf, total = raw(row["leaf"]), total + int(row["cumulative_wei"])
        assert (len(leaf), row["index"]) == (72, place)
        assert leaf[:36] == raw(row["owner"]) + int(row["cumulative_wei"]).to_bytes(16, "big")
        assert int.from_bytes(leaf[52:68], "big") == total
        node = sha256(leaf).digest()
        for height, sibling in enumerate(map(raw, row["proof"])):
            pair = sibling + node if place >> height & 1 else node + sibling
            node = sha256(pair).digest()
        assert (node, len(row["proof"])) == (raw(accounts["root"]), 20)


def test_vectors__committed_files__are_what_the_script_writes(tmp_path: Path) -> None:
    make.write(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["accounts.json", "commitments.json", "messages.json", "round.json", "rounds.json"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (VECTORS / name).read_bytes(), f"{name}: run the script"


def test_vectors__accounts__another_implementation_agrees() -> None:
    accounts = vector("accounts")
    assert len(accounts["rows"]) == make.COMMITTED_ROWS
    check_accounts(accounts)


def test_vectors__ten_thousand_accounts_by_command__another_implementation_agrees(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.vectors.make", "--rows", "10000", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    accounts = vector("accounts", tmp_path)
    assert len(accounts["rows"]) == 10_000
    check_accounts(accounts)


def test_vectors__commitments__eth_abi_agrees() -> None:
    for row in vector("commitments")["rows"]:
        parts = [raw(row[name]) for name in ("cid_digest", "body_root", "salt")]
        assert keccak(encode(["bytes32"] * 3, parts)) == raw(row["commitment"])


def test_vectors__messages__eth_account_agrees() -> None:
    messages = vector("messages")
    for row in messages["rows"]:
        members = messages["types"][row["kind"]]
        values = {
            m["name"]: int(row["message"][m["name"]]) if m["type"] == "uint64" else row["message"][m["name"]]
            for m in members
        }
        signable = encode_typed_data(row["domain"], {row["kind"]: members}, values)
        assert keccak(b"\x19" + signable.version + signable.header + signable.body) == raw(row["digest"])
    assert {row["kind"] for row in messages["rows"]} == {*TYPES}


def test_vectors__rounds__deadlines_add_up() -> None:
    for row in vector("rounds")["rows"]:
        rules, opened, closed, posted = row["rules"], row["opened_at"], row["closed_at"], row["posted_at"]
        commit_end = opened + rules["commit_period"]
        result_end = closed + rules["reveal_period"] + rules["result_period"]
        assert row["commit_deadline"] == row["abort_open_after_by_superlink"] == commit_end
        assert row["abort_open_after"] == commit_end + rules["result_period"]
        assert row["reveal_deadline"] == closed + rules["reveal_period"]
        assert row["result_deadline"] == row["abort_closed_after"] - 1 == result_end
        assert row["challenge_deadline"] == posted + rules["challenge_period"]
        assert row["resolve_deadline"] == row["frozen_at"] + rules["resolve_period"]
        assert (closed < commit_end) is row["early"]
        assert closed <= posted <= result_end


def test_vectors__round__played_from_its_bytes_gives_its_outcome() -> None:
    assert play(vector("round")) == vector("round")["outcome"]


def test_vectors__round__has_a_node_of_each_kind_and_a_debt_carried() -> None:
    round_2 = vector("round")
    manifest = round_2["outcome"]["manifest"]
    statuses = [node["status"] for node in manifest["nodes"]]
    assert Counter(statuses) == {"ok": 3, "clipped": 1, "gated": 1, "invalid": 1, "withheld": 1}
    owed = {account["owner"]: int(account["debt"]) for account in round_2["parent"]["accounts"]}
    (debtor,) = [node for node in manifest["nodes"] if owed.get(node["owner"], 0)]
    assert int(debtor["debt"]) == owed[debtor["owner"]] - debtor["score"] > 0
    assert [node["forced"] for node in manifest["nodes"]].count(True) == 1


def test_vectors__round__commits_are_signed_and_the_shard_is_drawn_and_proven() -> None:
    stated = vector("round")["inputs"]
    domain = Domain(stated["chain_id"], address_of(stated["coordinator"]))
    for commit in stated["commits"]:
        node, bound = address_of(commit["node"]), Digest(raw(commit["commitment"]))
        opening = Digest(raw(stated["opening"]))
        signed = compute_commit_digest(domain, stated["task"], stated["round"], opening, node, bound)
        assert recover(signed, raw(commit["signature"])) == node
    shard, rules = stated["shard"], stated["rules"]
    used = vector("round")["parent"]["used_shards"]
    assert shard["index"] == draw_shard(Digest(raw(stated["seed"])), rules["shards"], used)
    proof = [raw(sibling) for sibling in shard["proof"]]
    leaf = Cid.parse(shard["cid"]).digest
    assert verify(Digest(raw(rules["validation_root"])), leaf, shard["index"], proof, SHARDS_DEPTH)
