from itertools import islice

from dao.runtime.backoff import FIRST, LONGEST, SPREAD, pause_after, pauses


def test_pause_after__more_failures__doubled_up_to_the_longest() -> None:
    assert [pause_after(failures, 0.5, 3.0) for failures in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert pause_after(5000, 0.5, 60.0) == 60.0
    assert pause_after(9, 0.01) == 2.56


def test_pauses__for_ever__grow_and_are_spread() -> None:
    expected = [FIRST * 2**n for n in range(6)] + [LONGEST] * 44
    for pause, middle in zip(islice(pauses(), 50), expected, strict=True):
        assert (1 - SPREAD) * middle <= pause <= (1 + SPREAD) * middle
    assert len(set(islice(pauses(), 50))) == 50
    assert list(islice(pauses(1.0, 3.0, spread=0), 4)) == [1.0, 2.0, 3.0, 3.0]
