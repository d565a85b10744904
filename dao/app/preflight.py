"""Tries an app before anybody depends on it: what would end each round, or fail each audit, is found at the start."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dao.app.gradient_client import Evaluated, Evaluator
from dao.content import tensor_files
from dao.core.constants import TOLERANCE
from dao.core.engine.products import compute_distance
from dao.core.errors import AppCrashed, AppError, AppTimeout
from dao.core.formats.gradient import Gradient
from dao.core.formats.layout import Layout

NAMELESS = "in a round, a shard's file has no name but its digest: data() must go by what is in it, not by its ending"


@contextmanager
def nameless(shard: Path) -> Iterator[Path]:
    """A link to a shard as rounds have it: without its file's name, and in no folder that tells anything."""
    with tempfile.TemporaryDirectory(prefix="shard-") as folder:
        link = Path(folder) / ("0" * 64)
        link.symlink_to(shard.absolute())
        yield link


async def try_loss(evaluator: Evaluator, base: Path, shard: Path, other: Evaluator | None = None) -> None:
    """Take the loss gradient at a model twice, from a shard as rounds have it, and once more by `other`, if there is one.

    One process shows what is drawn anew in each call, two show what is drawn at the start. AppError says why a gradient
    cannot be taken, or that two are further apart than an audit allows; for that they are written to the disk.
    """
    layout = (await asyncio.to_thread(tensor_files.open_model, base)).layout
    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        first, loss = await _gradient(evaluator, base, shard, layout, Path(folder) / "first")
        for again in (evaluator, other) if other else (evaluator,):
            second, lost = await _gradient(again, base, shard, layout, Path(folder) / "second")
            distance = await asyncio.to_thread(compute_distance, second, first, tensor_files.each)
            _expect_near(max(distance, abs(lost - loss) / max(abs(loss), 1e-6)))


def _expect_near(apart: float) -> None:
    if not apart <= TOLERANCE:  # whatever is no number is not near
        raise AppError(
            f"app: two gradients of one model and shard are {apart:.1e} apart, at most {TOLERANCE:.0e} may be, or "
            "every audit fails: something in model(), data() or loss() is by chance; give it a fixed seed"
        )


async def _gradient(
    evaluator: Evaluator, base: Path, shard: Path, layout: Layout, out: Path
) -> tuple[Gradient, float]:
    evaluated = await _evaluated(evaluator, base, shard)
    return await asyncio.to_thread(tensor_files.write_gradient, evaluated.path, layout, out), evaluated.loss


async def _evaluated(evaluator: Evaluator, base: Path, shard: Path) -> Evaluated:
    """As `Evaluator.gate_gradient`; where it fails just for want of the shard's name, the error says so."""
    with nameless(shard) as link:
        try:
            return await evaluator.gate_gradient(base, link)
        except (AppTimeout, AppCrashed):  # not for the name
            raise
        except AppError as error:
            failed = error
    try:
        await evaluator.gate_gradient(base, shard)
    except AppError:
        raise failed from None
    raise AppError(f"{NAMELESS} ({failed})") from None
