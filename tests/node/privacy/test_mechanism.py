"""An update's norm is clipped and noise added on the grid: what leaves is bounded whatever the app did."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from dao.content.tensor_files import open_model, open_update
from dao.core.engine.merkle import compute_body_root
from dao.core.formats.layout import Layout, compute_model_size, write_model
from dao.core.types import Codec
from dao.errors import RuleError
from node.privacy.mechanism import compute_norm, draw_noise, write_private_update
from tests.core.sample import DENSE

SHAPES = {"bias": (70,), "weight": (300, 40)}  # both need padding
LAYOUT = Layout.of(SHAPES)
UNIT = 2.0**32


def write(path: Path, values: ArrayLike) -> None:
    buffer = bytearray(compute_model_size(LAYOUT))
    write_model(LAYOUT, buffer).flat[:] = np.asarray(values, np.float32)
    path.write_bytes(buffer)


def make(
    folder: Path, change: ArrayLike, clip: float, noise: float, codec: Codec = Codec.FLOAT32
) -> np.ndarray:
    """The update's values, (values,) in units of 1, padding included."""
    write(folder / "base", 0.0)
    write(folder / "trained", change)
    out = folder / "update"
    root = write_private_update(folder / "base", folder / "trained", codec, 7, out, clip=clip, noise=noise)
    update = open_update(out, LAYOUT, codec)
    assert compute_body_root(update.body, 7) == root
    return update.q(0, LAYOUT.chunks).ravel() / UNIT


def real(values: np.ndarray) -> np.ndarray:
    return np.delete(values, LAYOUT.padding())


@pytest.mark.parametrize("size", [1e-3, 1.0, 50.0])
def test_clip__whatever_the_app_did__bounds_the_norm(tmp_path: Path, size: float) -> None:
    dice = np.random.Generator(np.random.Philox(1))
    change = (size * dice.standard_normal(LAYOUT.size)).astype(np.float32)
    length = float(np.linalg.norm(change.astype(np.float64)))
    made = real(make(tmp_path, change, clip=2.0, noise=1e-12))
    norm = float(np.linalg.norm(made))
    assert norm <= 2.0 + 1e-6
    assert norm == pytest.approx(min(length, 2.0), rel=1e-4)
    assert float(made @ change) / norm / length > 0.9999
    assert compute_norm(open_model(tmp_path / "base"), open_model(tmp_path / "trained")) == pytest.approx(
        length
    )


@pytest.mark.parametrize("codec", DENSE)
def test_noise__of_a_private_update__is_gaussian_and_leaves_the_padding_alone(
    tmp_path: Path, codec: Codec
) -> None:
    values = make(tmp_path, 0.0, clip=0.5, noise=0.2, codec=codec)
    assert not values[LAYOUT.padding()].any()
    noise = real(values)
    assert noise.std() == pytest.approx(0.1, rel=0.03)
    assert abs(noise.mean()) < 0.004
    assert np.mean(np.abs(noise) < 0.1) == pytest.approx(0.6827, abs=0.02)
    again = real(make(tmp_path, 0.0, clip=0.5, noise=0.2, codec=codec))
    assert abs(np.corrcoef(noise, again)[0, 1]) < 0.05  # no key is used twice


def test_noise__on_the_grid__is_whole_numbers_whose_low_bits_know_nothing() -> None:
    noise = draw_noise((200, 256), 1e-3)
    assert noise.dtype == np.int64
    ones = (noise[..., np.newaxis] >> np.arange(8)) & 1
    np.testing.assert_allclose(ones.mean((0, 1)), 0.5, atol=0.02)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_write__values_that_are_not_finite__are_refused_before_any_noise(tmp_path: Path, bad: float) -> None:
    change = np.zeros(LAYOUT.size, np.float32)
    change[5] = bad
    with pytest.raises(RuleError, match="expected finite values"):
        make(tmp_path, change, clip=1.0, noise=1.0)


def test_write__noise_that_no_codec_holds__names_what_to_lower(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="the noise does not fit the codec; lower clip or noise"):
        make(tmp_path, 0.0, clip=60.0, noise=10.0)


def test_write__values_that_are_only_carried__count_for_the_clip_and_get_noise(tmp_path: Path) -> None:
    layout = Layout.of(SHAPES, carried=["bias"])
    for name, value in (("base", 0.0), ("trained", 1.0)):
        buffer = bytearray(compute_model_size(layout))
        model = write_model(layout, buffer)
        model.flat[:] = 0
        model.tensors["bias"][...] = value
        (tmp_path / name).write_bytes(buffer)
    out = tmp_path / "update"
    for noise in (1e-12, 0.5):
        write_private_update(
            tmp_path / "base", tmp_path / "trained", Codec.FLOAT32, 7, out, clip=2.0, noise=noise
        )
        values = open_update(out, layout, Codec.FLOAT32).q(layout.scored_chunks, layout.chunks) / UNIT
        carried = values.ravel()[:70]
        if noise < 0.1:
            assert np.linalg.norm(carried) == pytest.approx(2.0, rel=1e-4)
        else:
            assert (carried - 2 / 70**0.5).std() == pytest.approx(1.0, rel=0.35)
