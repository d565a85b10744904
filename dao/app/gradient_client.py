"""The daemon's end of gradients: asks the warm process of an app (`dao.app.evaluation_worker`) for losses and gradients."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dao.app.frozen_base import place_frozen_base
from dao.app.process import AppCommand, AppProcess
from dao.app.sandbox import AUTO, Output, SandboxSettings
from dao.core.constants import GAUSS_LEGENDRE
from dao.core.formats.app_settings import NO_SETTINGS
from dao.errors import DecodeError

MOST_GRAPH = 64 << 20  # bytes of what ONNX has beside a model's values
THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class GradientFile:
    """A gradient that an app has written."""

    path: Path  # float32 values in the order of a model file, without its header
    loss: float  # mean loss where the gradient was taken


class GradientClient:
    """One warm process of one app; one call at a time. Errors are those of `dao.app.process`."""

    def __init__(
        self,
        app: Path,
        python: Path,
        scratch: Path,
        *,
        limit: float,
        threads: int = THREADS,
        keeps_log: bool = True,
        sandbox: SandboxSettings = AUTO,
        settings: Mapping[str, object] = NO_SETTINGS,
        yields: bool = False,
    ) -> None:
        """`app` is its unpacked folder, `python` its interpreter; gradients go to `scratch`; `limit` s a call.

        `keeps_log`: the scratch folder stays, so that errors can point to the app's log in it. `settings` are those of the
        task's card. `yields`: other processes come first where cores are busy.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = scratch
        self._limit = limit
        self._settings = dict(settings)
        self._command = AppCommand(
            "dao.app.evaluation_worker",
            app,
            None,
            scratch / "app.log",
            (_open(app, threads, settings),),
            python,
            threads,
            keeps_log,
            sandbox,
            yields,
        )
        self._process = AppProcess(self._command)

    async def start(self) -> None:
        """Import the app now rather than at the first gradient."""
        await self._process.start()

    async def configure(self, settings: Mapping[str, object], base: Path | None = None) -> None:
        """Use these settings and this frozen base, if any, from now on: where they are others, the app starts anew."""
        is_new = await asyncio.to_thread(place_frozen_base, base, self._command.app)
        if not is_new and dict(settings) == self._settings:
            return
        await self._process.stop()
        self._settings = dict(settings)
        opening = _open(self._command.app, self._command.threads, settings)
        self._process = AppProcess(replace(self._command, setup=(opening,)))

    async def stop(self) -> None:
        """End the process."""
        await self._process.stop()

    async def gate_gradient(self, base: Path, shard: Path) -> GradientFile:
        """Compute minus the loss gradient at the base model. The file is overwritten by the next gradient."""
        return await self._gradient(base, None, (0.0,), shard)

    async def reference_gradient(self, base: Path, model: Path, shard: Path) -> GradientFile:
        """Compute minus the loss gradient, averaged over two points between base and model; the file is as above."""
        return await self._gradient(base, model, GAUSS_LEGENDRE, shard)

    async def loss(self, model: Path, shard: Path) -> float:
        """Compute the mean loss over the shard."""
        answer = await self._process.call("loss", {"model": model, "shard": shard}, limit=self._limit)
        return _read_loss(answer)

    async def metric(self, name: str, model: Path, shard: Path, limit: float | None = None) -> float:
        """Compute the one of the app's metrics that has this name, on a shard, within `limit` s, or as long as any call may take."""
        answer = await self._process.call(
            "metric", {"name": name, "model": model, "shard": shard}, limit=limit or self._limit
        )
        if not isinstance(answer, float | int) or isinstance(answer, bool):
            raise DecodeError(f"app: answered {answer!r:.80} for the metric {name!r}; expected a number")
        return float(answer)

    async def halve(self, model: Path, shard: Path) -> tuple[float, float, float]:
        """Compute the loss of the shard's first batch, of its first half, and of its second."""
        answer = await self._process.call("halve", {"model": model, "shard": shard}, limit=self._limit)
        if not isinstance(answer, list) or len(answer) != 3:
            raise DecodeError(
                f"app: answered {answer!r:.80} for a loss and its halves; expected three numbers"
            )
        whole, first, second = (_read_number(loss) for loss in answer)
        return whole, first, second

    async def export(self, model: Path, shard: Path, out: Path) -> None:
        """Write a model as ONNX to `out`, as the app gives it a shard's rows; AppError says why that cannot be."""
        most = 2 * (await asyncio.to_thread(model.stat)).st_size + MOST_GRAPH
        arguments = {"model": model, "shard": shard, "output": Output(out, most)}
        await self._process.call("export", arguments, limit=self._limit)

    async def _gradient(
        self, base: Path, model: Path | None, points: Sequence[float], shard: Path
    ) -> GradientFile:
        # one file, written over in place: fresh pages cost as much as the sums
        path = self._scratch / "gradient.f32"
        answer = await self._process.call(
            "gradient",
            {
                "base": base,
                "model": model,
                "points": points,
                "shard": shard,
                "output": Output(path, base),  # the values of a model
            },
            limit=self._limit,
        )
        return GradientFile(path, _read_loss(answer))


def _open(app: Path, threads: int | None, settings: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Return the call that a process begins with."""
    return "open", {"folder": app, "threads": threads, "settings": dict(settings)}


def _read_loss(answer: object) -> float:
    return _read_number(answer.get("loss") if isinstance(answer, dict) else answer)


def _read_number(loss: object) -> float:
    if not isinstance(loss, float | int):
        raise DecodeError(f"app: answered {loss!r:.80} for a loss; expected a number")
    return float(loss)
