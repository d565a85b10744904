"""The demonstration's data: unequal, disjoint, the same each time."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from dao.demo.images import FEW_DIGITS, SHARD, SHARDS, TEST, deal
from dao.demo.plan import Role, list_members


def test_deal__five_members__all_images_once_and_unequal_parts(tmp_path: Path) -> None:
    people = list_members(5)
    dealt = deal(people, tmp_path)
    held = {person.role: load_file(path) for person, path in zip(people, dealt.members, strict=True)}
    sizes = {role: len(columns["y"]) for role, columns in held.items()}
    assert 0.08 < sizes[Role.SMALL] / sizes[Role.GOOD] < 0.12
    assert set(held[Role.SMALL]["y"]) == set(range(FEW_DIGITS))
    assert set(held[Role.GOOD]["y"]) == set(range(10))
    shards = [load_file(path) for path in sorted(dealt.shards.iterdir())]
    assert [len(shard["y"]) for shard in shards] == [SHARD] * SHARDS
    everyone = [load_file(path) for path in dealt.members]
    rows = sum(len(c["y"]) for c in [*everyone, *shards]) + TEST
    assert rows == 5000
    pixels = np.concatenate([c["x"] for c in [*everyone, *shards, load_file(dealt.test)]])
    assert len(np.unique(pixels, axis=0)) >= 4990  # MNIST itself has hardly a double


def test_deal__mislabelled__four_in_ten_labels_differ(tmp_path: Path) -> None:
    people = list_members(5)
    wrong = next(person for person in people if person.role is Role.MISLABELLED)
    lying = load_file(deal(people, tmp_path / "a").members[wrong.index])["y"]
    honest = [type(p)(p.index, p.name, Role.GOOD if p is wrong else p.role) for p in people]
    truth = load_file(deal(honest, tmp_path / "b").members[wrong.index])["y"]
    assert 0.35 < float((lying != truth).mean()) < 0.45


def test_deal__again__the_same_bytes(tmp_path: Path) -> None:
    one, two = deal(list_members(3), tmp_path / "a"), deal(list_members(3), tmp_path / "b")
    assert [p.read_bytes() for p in one.members] == [p.read_bytes() for p in two.members]
    assert one.test.read_bytes() == two.test.read_bytes()


def test_members__more_than_five__roles_repeat_and_names_differ() -> None:
    people = list_members(23)
    assert [person.role for person in people[:5]] == [person.role for person in people[5:10]]
    assert len({person.name for person in people}) == 23
