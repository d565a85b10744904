"""Tries an app's loss before anybody depends on it, and finds faults that would end every round or fail every audit."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dao.app.gradient_client import GradientClient, GradientFile
from dao.content import tensor_files
from dao.core.constants import GRADIENT_TOLERANCE
from dao.core.engine.products import compute_distance
from dao.core.formats.gradient import Gradient
from dao.core.formats.layout import Layout
from dao.errors import AppCrashed, AppError, AppTimeout

ROUNDING = 1e-5  # of a loss in float32
NAMELESS = "in a round, a shard's file has no name but its digest: data() must go by what is in it, not by its ending"


@contextmanager
def link_without_name(shard: Path) -> Iterator[Path]:
    """Link to a shard as rounds have it: without the name of its file or folder."""
    with tempfile.TemporaryDirectory(prefix="shard-") as folder:
        link = Path(folder) / ("0" * 64)
        link.symlink_to(shard.absolute())
        yield link


async def try_loss(
    gradients: GradientClient, base: Path, shard: Path, other: GradientClient | None = None
) -> None:
    """Compute the loss gradient at a model twice, on a shard as rounds have it, and once more by `other`, if there is one.

    One process shows chance in each call, two show chance at the start. AppError says why a gradient cannot be computed,
    or that two are further apart than an audit allows. They are compared on the disk.
    """
    layout = (await asyncio.to_thread(tensor_files.open_model, base)).layout
    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        first, loss = await _write_gradient(gradients, base, shard, layout, Path(folder) / "first")
        for client in (gradients, other) if other else (gradients,):
            second, second_loss = await _write_gradient(client, base, shard, layout, Path(folder) / "second")
            distance = await asyncio.to_thread(compute_distance, second, first, tensor_files.each)
            _require_near(max(distance, abs(second_loss - loss) / max(abs(loss), 1e-6)))


async def find_odd_loss(gradients: GradientClient, model: Path, shard: Path) -> str:
    """Return in words that the loss is no mean over a batch; "" where it may be one.

    A mean over rows, weighted or not, lies between the means over two halves of them. A sum does not.
    """
    with link_without_name(shard) as link:
        whole, *halves = await gradients.halve(model, link)
    slack = ROUNDING * max(map(abs, (whole, *halves)))
    if min(halves) - slack <= whole <= max(halves) + slack:
        return ""
    return (
        f"gave {whole:.4g} for a batch and {halves[0]:.4g} and {halves[1]:.4g} for its halves: expected the mean over the "
        "batch, which lies between them; a sum counts a short batch for less than its rows"
    )


def _require_near(apart: float) -> None:
    if not apart <= GRADIENT_TOLERANCE:  # NaN is not near
        raise AppError(
            f"app: two gradients of one model and shard are {apart:.1e} apart, at most {GRADIENT_TOLERANCE:.0e} may be, or "
            "every audit fails: something in model(), data() or loss() is by chance; give it a fixed seed"
        )


async def _write_gradient(
    gradients: GradientClient, base: Path, shard: Path, layout: Layout, out: Path
) -> tuple[Gradient, float]:
    result = await _compute_gradient(gradients, base, shard)
    return await asyncio.to_thread(tensor_files.write_gradient, result.path, layout, out), result.loss


async def _compute_gradient(gradients: GradientClient, base: Path, shard: Path) -> GradientFile:
    """As `GradientClient.gate_gradient`; where it fails only because the shard has no name, the error says so."""
    with link_without_name(shard) as link:
        try:
            return await gradients.gate_gradient(base, link)
        except (AppTimeout, AppCrashed):  # a missing name is not why
            raise
        except AppError as error:
            failed = error
    try:
        await gradients.gate_gradient(base, shard)
    except AppError:
        raise failed from None
    raise AppError(f"{NAMELESS} ({failed})") from None
