"""What updates leave out is kept from round to round: for the right base model, over crashes, and never in the way of an update."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dao.content.tensor_files import open_model, open_update
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.feedback import AHEAD, KEPT
from dao.core.formats.layout import FLOAT, Layout, compute_model_size, write_model
from dao.core.types import Codec, Digest, RoundId
from dao.errors import RuleError
from node.feedback_files import FeedbackFiles
from node.privacy.mechanism import write_private_update
from node.update_maker import write_update

LAYOUT = Layout.of({"bias": (70,), "weight": (300, 40)})
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
FIRST, SECOND = Digest(b"\1" * 32), Digest(b"\2" * 32)


def write(path: Path, values: Floats | float) -> Path:
    buffer = bytearray(compute_model_size(LAYOUT))
    write_model(LAYOUT, buffer).flat[:] = values
    path.write_bytes(buffer)
    return path


@pytest.fixture
def site(tmp_path: Path) -> "Site":
    return Site(tmp_path)


class Site:
    """A node that trains the same change each round, to a base model of zeros."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, FeedbackFiles(folder / "feedback" / "1")
        self.change = np.random.Generator(np.random.Philox(3)).normal(0, 0.1, LAYOUT.size).astype(FLOAT)
        self.base = write(folder / "base", 0.0)

    def play(self, number: int, base: Digest, change: Floats | float | None = None) -> Doubles:
        """Make an update; return its values, padding included."""
        start = self.files.write_start(RoundId(number), base, self.base, self.folder / "start")
        trained = write(
            self.folder / "trained", open_model(start).flat + (self.change if change is None else change)
        )
        out = self.folder / "update"

        opening = partial(self.files.open, RoundId(number), base)
        root = write_update(start, trained, Codec.TOPK, 7, out, opening)
        update = open_update(out, LAYOUT, Codec.TOPK)
        assert compute_body_root(update.body, 7) == root
        return np.asarray(update.q(0, LAYOUT.chunks).ravel() * 2.0**-32, np.float64)

    @property
    def kept(self) -> list[str]:
        return sorted(path.name[:12] for path in self.files.folder.iterdir())

    def left(self, number: int, base: Digest) -> Doubles:
        model = open_model(self.files.folder / f"{number:012}-{base.hex()}")
        return model.span(0, LAYOUT.chunks).ravel().astype(float)


def test_feedback__next_round__takes_along_what_the_last_left_out(site: Site) -> None:
    first = site.play(1, FIRST)
    assert 100 < np.count_nonzero(first) <= 3 * 58
    second = site.play(2, SECOND, 0.0)  # training changes nothing
    assert 100 < np.count_nonzero(second) <= 3 * 58
    assert np.count_nonzero(second[first == 0]) > 80
    values = np.zeros(LAYOUT.values)
    values[np.delete(np.arange(LAYOUT.values), LAYOUT.padding())] = site.change
    assert np.allclose(site.left(1, FIRST), values - first, atol=1e-7)
    assert np.allclose(site.left(2, SECOND), KEPT * site.left(1, FIRST) - second, atol=1e-7)


def test_start__next_round__is_ahead_by_a_part_of_what_was_left_out(site: Site) -> None:
    out = site.folder / "start"
    assert site.files.write_start(RoundId(1), FIRST, site.base, out) == site.base
    site.play(1, FIRST)
    assert site.files.write_start(RoundId(2), FIRST, site.base, out) == site.base  # played anew
    assert site.files.write_start(RoundId(2), SECOND, site.base, out) == out
    start = open_model(out).span(0, LAYOUT.chunks).ravel()
    assert np.allclose(start, AHEAD * site.left(1, FIRST), atol=1e-7)


def test_feedback__the_same_base_again__goes_on_from_before_it(site: Site) -> None:
    site.play(1, FIRST)
    once = site.play(2, SECOND)
    assert np.array_equal(
        site.play(2, SECOND), once
    )  # trained anew: what it left out the first time is not added
    assert np.array_equal(site.play(3, SECOND), once)  # round 2 is void, and round 3 has its base
    assert site.kept == [f"{1:012}", f"{3:012}"]


def test_feedback__many_rounds__keeps_two_files(site: Site) -> None:
    for number in range(1, 6):
        site.play(number, Digest(bytes([number]) * 32))
    assert site.kept == [f"{4:012}", f"{5:012}"]


@pytest.mark.parametrize("damage", [b"", b"\xff" * 100, None])
def test_feedback__damaged_or_of_another_model__is_lost_and_no_fault(
    site: Site, damage: bytes | None
) -> None:
    alone = site.play(1, FIRST)
    (path,) = site.files.folder.iterdir()
    if damage is None:
        other = Layout.of({"bias": (71,)})
        buffer = bytearray(compute_model_size(other))
        write_model(other, buffer).flat[:] = 1
        damage = bytes(buffer)
    path.write_bytes(damage)
    assert np.array_equal(site.play(2, SECOND), alone)


def test_feedback__killed_before_it_is_in_place__the_one_before_stays(site: Site) -> None:
    site.play(1, FIRST)
    before = site.left(1, FIRST)
    with pytest.raises(KeyboardInterrupt), site.files.open(RoundId(2), SECOND, LAYOUT):
        raise KeyboardInterrupt
    assert np.array_equal(site.left(1, FIRST), before)
    site.play(2, SECOND)
    assert site.kept == [f"{1:012}", f"{2:012}"]


def test_feedback__that_no_longer_fits__is_dropped_for_the_next_update(site: Site) -> None:
    alone = site.play(1, FIRST)
    write(site.files.folder / f"{1:012}-{FIRST.hex()}", 70.0)
    with pytest.raises(RuleError, match="expected training to change values by less than 34"):
        site.play(2, SECOND)
    assert np.array_equal(site.play(3, SECOND), alone)


def test_private_update__with_feedback__noises_and_then_keeps_what_it_leaves_out(site: Site) -> None:
    trained = write(site.folder / "trained", site.change)
    out = site.folder / "update"
    for number, base in ((1, FIRST), (2, SECOND)):
        opening = partial(site.files.open, RoundId(number), base)
        write_private_update(
            site.base, trained, Codec.TOPK, 7, out, clip=0.5, noise=0.1, open_feedback=opening
        )
    sent = open_update(out, LAYOUT, Codec.TOPK).q(0, LAYOUT.chunks).ravel() * 2.0**-32
    left = [site.left(1, FIRST), site.left(2, SECOND)]
    noise = np.delete(sent + left[1] - left[0], LAYOUT.padding()) - 0.5 * site.change / np.linalg.norm(
        site.change.astype(float)
    )
    assert noise.std() == pytest.approx(0.05, rel=0.05)  # the second update's own, and no more
