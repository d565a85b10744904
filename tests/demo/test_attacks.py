"""What a coalition sends, by name."""

import numpy as np
import pytest

from dao.demo.attacks import ATTACKS, Coalition, Floats

TRAINED = np.array([[3.0, 4.0, 0.0], [0.0, 4.0, 3.0]])
STEP, BEST = np.array([0.0, 0.0, 2.0]), np.array([-1.0, 0.0, 0.0])


def sent(name: str, *, public: bool = True) -> Floats:
    dice = np.random.Generator(np.random.Philox(1))
    return ATTACKS[name].act(Coalition(TRAINED, dice, STEP if public else None, BEST if public else None))


@pytest.mark.parametrize("name", ATTACKS)
def test_attack__any__sends_an_update_for_each_member(name: str) -> None:
    for public in (True, False):
        assert sent(name, public=public).shape == TRAINED.shape
        assert np.isfinite(sent(name, public=public)).all()


def test_attacks__by_what_they_say() -> None:
    assert np.allclose(sent("sign-flip")[1], -5 * np.array([3, 8, 3]) / np.sqrt(82))
    assert np.allclose(np.linalg.norm(sent("noise"), axis=1), 5)
    assert np.allclose(np.linalg.norm(sent("noise30"), axis=1), 150)
    assert np.array_equal(sent("scale5"), 5 * TRAINED)
    assert np.array_equal(sent("copy"), 5 * np.stack([BEST, BEST]))
    assert np.array_equal(sent("replay-step")[0], np.array([0, 0, 5]))
    assert np.array_equal(sent("copy", public=False), TRAINED)
    assert np.array_equal(sent("ipm")[0], np.array([-0.75, -2, -0.75]))
    assert np.array_equal(sent("alie")[0], np.array([1.5 - 2.25, 4, 1.5 - 2.25]))
    assert ATTACKS["label-flip"].flips
    assert not ATTACKS["zero"].trains
