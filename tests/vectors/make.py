"""Writes the vectors that Python and Solidity both run: `python -m tests.vectors.make [--out DIR] [--rows N] …`.

Deterministic: the same arguments give the same bytes. tests/core checks each against another implementation.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from dao.core import round_machine
from dao.core.commits import compute_commitment
from dao.core.formats.accounts import AccountTree
from dao.core.formats.manifest import Account
from dao.core.formats.signed_messages import TYPES, build_typed_data, compute_digest
from dao.core.types import (
    ZERO_DIGEST,
    Address,
    BlockNumber,
    Codec,
    Digest,
    Domain,
    Phase,
    RoundId,
    RoundState,
    Rules,
    Timestamp,
    Wei,
    hex_of,
)
from tests.vectors.dice import Dice
from tests.vectors.make_round import make_round

CHAIN_ID = 31337
COMMITTED_ROWS = 50


def accounts(rows: int) -> dict[str, object]:
    """Accounts of `rows` owners: 1 wei to more than 2^64, one of 2^112 - 1 among them, the most that an escrow holds."""
    dice = Dice("accounts")
    owners = [dice.address() for _ in range(rows)]
    amounts = [Wei(1 + dice.below(10 ** dice.between(1, 24))) for _ in owners]
    amounts[dice.below(rows)] = Wei(2**112 - 1)
    entries = [
        Account(owner, amount, dice.below(2**64), dice.between(-(2**63), 2**63 - 1))
        for owner, amount in zip(owners, amounts, strict=True)
    ]
    tree = AccountTree(entries, {owner: place for place, owner in enumerate(owners) if place % 3})
    return {
        "task": 7,
        "root": hex_of(tree.root),
        "rows": [_account_row(tree, owner, amount) for owner, amount in zip(owners, amounts, strict=True)],
    }


def _account_row(tree: AccountTree, owner: Address, amount: Wei) -> dict[str, object]:
    leaf, index, proof = tree.find(owner)
    return {
        "owner": hex_of(owner),
        "cumulative_wei": str(amount),
        "leaf": hex_of(leaf),
        "index": index,
        "proof": [hex_of(sibling) for sibling in proof],
    }


def commitments() -> dict[str, object]:
    """Commitments to random content, to none, and to the largest digests."""
    dice = Dice("commitments")
    full = Digest(b"\xff" * 32)
    parts = [(dice.digest(), dice.digest(), dice.digest()) for _ in range(30)]
    parts += [(ZERO_DIGEST, ZERO_DIGEST, ZERO_DIGEST), (full, full, full)]
    return {
        "rows": [
            {
                "cid_digest": hex_of(cid),
                "body_root": hex_of(root),
                "salt": hex_of(salt),
                "commitment": hex_of(compute_commitment(cid, root, salt)),
            }
            for cid, root, salt in parts
        ]
    }


def messages() -> dict[str, object]:
    """EIP-712 digests of every kind of message; numbers are text, for they reach 2^64 - 1."""
    dice = Dice("messages")
    rows = []
    for index, kind in enumerate(kind for kind in TYPES for _ in range(8)):
        domain = Domain([1, CHAIN_ID, 10**9][index % 3], dice.address())
        values: dict[str, int | bytes | str] = {}
        for name, type_ in TYPES[kind]:
            if type_ == "uint64":
                values[name] = [0, 2**64 - 1, dice.below(2**40)][dice.below(3)]
            elif type_ == "string":
                values[name] = ["Commit", "Reveal", "", "Zustimmung ü"][dice.below(4)]
            else:
                values[name] = dice.address() if type_ == "address" else dice.digest()
        data = build_typed_data(kind, domain, values)
        shown = {name: str(value) if isinstance(value, int) else value for name, value in values.items()}
        rows.append(
            {
                "kind": kind,
                "domain": data["domain"],
                "message": {k: hex_of(v) if isinstance(v, bytes) else v for k, v in shown.items()},
                "digest": hex_of(compute_digest(kind, domain, values)),
            }
        )
    types = {kind: [{"name": n, "type": t} for n, t in members] for kind, members in TYPES.items()}
    return {"types": types, "rows": rows}


def round_deadlines() -> dict[str, object]:
    """Rounds that a coordinator can run, with the times of their steps, all deadlines, and draws of a shard.

    `early`: all eligible committed, so that commits closed before their deadline.
    """
    dice = Dice("rounds")
    return {
        "rows": [_round_row(dice, early=index % 2 == 1) for index in range(20)],
        "shards": [_shard_row(dice) for _ in range(20)],
        "attesters": [_attester_row(dice) for _ in range(32)],
    }


def _round_row(dice: Dice, *, early: bool) -> dict[str, object]:
    reveal, result = dice.between(1, 600), dice.between(1, 600)
    rules = Rules(
        superlink=dice.address(),
        commit_period=dice.between(1, 600),
        reveal_period=reveal,
        result_period=result,
        challenge_period=dice.between(1, 600),
        resolve_period=dice.between(1, 600),
        quorum=1,
        shards=4,
        body_depth=17,
        codec=Codec.INT8,
        admitted_only=False,
        close_after=dice.between(1, 600),
        close_share=100,
        max_in_flight=64,
        min_stake=Wei(1),
        max_stake=Wei(10**18),
        round_budget=Wei(10**18),
        superlink_bond=Wei(0),
        challenge_bond=Wei(0),
        app_hash=dice.digest(),
        base_model=dice.digest(),
        validation_root=dice.digest(),
        chunks=1 << 17,
        scored_chunks=1 << 17,
        card=dice.digest(),
        base_model_root=dice.digest(),
    )
    opened = 2_000_000_000
    closed = opened + (dice.between(0, rules.commit_period - 1) if early else rules.commit_period)
    posted = closed + dice.between(reveal, reveal + result)
    frozen = posted + dice.between(0, rules.challenge_period - 1)

    def at(phase: Phase, posted_at: int = 0) -> RoundState:
        times = Timestamp(opened), Timestamp(0 if phase is Phase.OPEN else closed), Timestamp(posted_at)
        digests = ZERO_DIGEST, ZERO_DIGEST, ZERO_DIGEST
        return RoundState(BlockNumber(1), *times, RoundId(0), 2, 1 + early, phase, *digests)

    opening, waiting, standing = at(Phase.OPEN), at(Phase.CLOSED), at(Phase.POSTED, posted)
    periods = {name: value for name, value in asdict(rules).items() if name.endswith("_period")}
    return {
        "rules": periods,
        "early": early,
        "opened_at": opened,
        "closed_at": closed,
        "posted_at": posted,
        "frozen_at": frozen,
        "commit_deadline": round_machine.compute_commit_deadline(rules, opening),
        "abort_open_after": round_machine.compute_earliest_abort(rules, opening),
        "abort_open_after_by_superlink": round_machine.compute_earliest_abort(
            rules, opening, by_superlink=True
        ),
        "reveal_deadline": round_machine.compute_reveal_deadline(rules, waiting),
        "result_deadline": round_machine.compute_result_deadline(rules, waiting),
        "abort_closed_after": round_machine.compute_earliest_abort(rules, waiting),
        "challenge_deadline": round_machine.compute_challenge_deadline(rules, standing),
        "resolve_deadline": round_machine.compute_resolve_deadline(rules, at(Phase.FROZEN, frozen)),
    }


def _shard_row(dice: Dice) -> dict[str, object]:
    seed, shards = dice.digest(), dice.between(1, 40)
    used = sorted({dice.below(shards) for _ in range(dice.below(shards))})
    return {
        "seed": hex_of(seed),
        "shards": shards,
        "used": used,
        "index": round_machine.draw_shard(seed, shards, used),
    }


def _attester_row(dice: Dice) -> dict[str, object]:
    """Whether a member is drawn to attest in a round of so many others: large rounds draw few of them."""
    seed, member = dice.digest(), dice.address()
    others = dice.between(1, 40) if dice.below(4) else dice.between(16, 2047)
    return {
        "seed": hex_of(seed),
        "member": hex_of(member),
        "others": others,
        "drawn": int(round_machine.is_attester(seed, member, others)),
        "most": round_machine.count_attesters(others),
    }


def write(out: Path, rows: int = COMMITTED_ROWS) -> None:
    """Write all vector files into `out`."""
    files = {
        "accounts": accounts(rows),
        "commitments": commitments(),
        "messages": messages(),
        "rounds": round_deadlines(),
        "round": make_round(),
    }
    for name, content in files.items():
        (out / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Write the files that the arguments ask for; without any, the committed ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write into")
    parser.add_argument("--rows", type=int, default=COMMITTED_ROWS, help="number of accounts")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out, args.rows)


if __name__ == "__main__":
    main()
