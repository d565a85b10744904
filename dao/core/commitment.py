"""What a node commits to, and the hashes by which the chain remembers forced commits, closings and results."""

from collections.abc import Iterable
from dataclasses import astuple

from dao.core.formats.abi import encode
from dao.core.keccak import keccak256
from dao.core.types import ZERO_DIGEST, Address, Digest, Result


def commitment(cid_digest: Digest, body_root: Digest, salt: Digest) -> Digest:
    """Bind an update's content and body, without showing either: the salt is 32 random bytes."""
    return keccak256(encode(cid_digest, body_root, salt))


def forced_hash(commits: Iterable[tuple[Address, Digest]], start: Digest = ZERO_DIGEST) -> Digest:
    """Chain forced commits, (node, commitment) in the order of their events, on `start`."""
    chained = start
    for node, committed in commits:
        chained = keccak256(encode(chained, node, committed))
    return chained


def closing_hash(commits_root: Digest, seed: Digest) -> Digest:
    """What the coordinator stores when commits are closed: a result is only taken for the same tree and seed."""
    return keccak256(encode(commits_root, seed))


def result_hash(result: Result) -> Digest:
    """What the coordinator stores of a result: keccak256(abi.encode(Result))."""
    return keccak256(encode(*astuple(result)))
