"""Checks a site before anything is staked: its data by the task's schema, then the app on them; says what keeps it out."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dao.app.bundle import find_schema, unpack
from dao.app.frozen_base import place_frozen_base
from dao.errors import AppError
from dao.gov.card_words import describe_card
from dao.gov.units import MEGABIT
from node.check.data_check import DataReport, check_data
from node.check.rehearsal import Rehearsal, SiteApp, compute_training_limit, describe_app_error, rehearse
from node.check.task_inputs import TaskInputs
from node.upload_watch import explain_shortage

SHOWN = 20  # defects in words; `--json` has all


@dataclass(frozen=True)
class SiteReport:
    """What was found. `data` is None for an app without a schema, `rehearsal` where the app was not run, or failed."""

    task: dict[str, str]  # what its card says, in words
    has_schema: bool
    data: DataReport | None
    rehearsal: Rehearsal | None
    app_error: str  # "" where it did not fail
    reveal_period: int  # seconds
    training_limit: float
    line_rate: float | None  # bytes a second that the site's line sends
    least_rows: int  # by the site's own setting

    @property
    def faults(self) -> list[str]:
        """Return what would keep the site from earning, in words; the defects of the data first."""
        found = [] if self.data is None else [str(defect) for defect in self.data.defects]
        if self.app_error:
            found.append(f"the app fails on your data: {self.app_error}")
        ran = self.rehearsal
        if self.rows is not None and self.rows < self.least_rows:
            found.append(f"{self.rows} rows can be used, and your own setting asks for {self.least_rows}")
        if ran is not None and ran.rows == 0:
            found.append("the app found no row in your data")
        if ran is not None and not ran.norm:
            found.append("training left the model as it was")
        if ran is not None and self.line_rate is not None:
            size, period = ran.update_bytes, float(self.reveal_period)
            if short := explain_shortage(size, self.line_rate, period, "the reveal period"):
                found.append(f"your line is too slow: {short}")
        return found

    @property
    def rows(self) -> int | None:
        """Return the rows that can be used, by schema and app; None where neither says."""
        counts = [self.data.used] if self.data is not None else []
        if self.rehearsal is not None and self.rehearsal.rows is not None:
            counts.append(self.rehearsal.rows)
        return min(counts, default=None)

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "faults": self.faults, "rows": self.rows}


async def check_site(
    inputs: TaskInputs,
    site: SiteApp,
    *,
    runs_app: bool = True,
    line_rate: float | None = None,
    least_rows: int = 0,
) -> SiteReport:
    """Check data and, where `runs_app`, the app on them; ConfigError where there are no data, or no sandbox.

    The schema comes first: where it finds a defect, the app is not run.
    """
    schema = find_schema(inputs.bundle)
    data = None if schema is None else await asyncio.to_thread(check_data, site.data, schema)
    rehearsal, app_error = None, ""
    if runs_app and not (data and data.defects):
        with tempfile.TemporaryDirectory(prefix="check-") as folder:
            app = await asyncio.to_thread(unpack, inputs.bundle, Path(folder) / "app")
            await asyncio.to_thread(place_frozen_base, inputs.base, app)
            scratch = Path(folder) / "scratch"
            scratch.mkdir()
            try:
                rehearsal = await rehearse(app, site, inputs, scratch)
            except AppError as error:
                app_error = describe_app_error(error)
    rules = inputs.rules
    periods = rules.reveal_period, compute_training_limit(rules)
    words = describe_card(inputs.card)
    return SiteReport(words, schema is not None, data, rehearsal, app_error, *periods, line_rate, least_rows)


def describe_report(report: SiteReport) -> Iterator[str]:
    """Yield a report in words, a line each: what the task is, counts and measures, then faults."""
    for name, text in report.task.items():
        yield f"task's {name.replace('_', ' ')}: {text}"
    if report.data is None:
        yield "data: the app has no schema; it is checked by running it"
    else:
        yield from _describe_data(report.data)
    if report.rehearsal is not None:
        yield from _describe_rehearsal(report, report.rehearsal)
    faults = report.faults
    for fault in faults[:SHOWN]:
        yield f"fault: {fault}"
    if len(faults) > SHOWN:
        yield f"and {len(faults) - SHOWN} faults more: --json has all"
    if not faults:
        yield "nothing was found that would keep you out"


def _describe_data(data: DataReport) -> Iterator[str]:
    files = f"{data.files} file{'s' * (data.files != 1)}"
    others = f", {data.others} others were not read" if data.others else ""
    yield f"data: {data.rows} rows in {files}{others}; {data.used} can be used, {data.skipped} have no value where they need one"
    if data.labels:
        yield f"labels: {', '.join(f'{code} {count}' for code, count in data.labels.items())}"


def _describe_rehearsal(report: SiteReport, ran: Rehearsal) -> Iterator[str]:
    rows = "an unknown number of" if ran.rows is None else ran.rows
    yield f"app: trained on {rows} rows in {ran.train_s:.1f} s, a round leaves {report.training_limit:.0f} s; {ran.load_s:.1f} s to start"
    if ran.public_problem:
        yield f"public rows: the app trains on yours alone, for it cannot have both: {ran.public_problem}"
    yield f"memory: {ran.memory_bytes / 2**20:.0f} MiB at most"
    need = ran.update_bytes / report.reveal_period / MEGABIT
    yield f"upload: {ran.update_bytes / 1e6:.3g} MB within {report.reveal_period} s, for which your line must send {need:.2g} Mbit/s"
    yield f"update: L2 norm {ran.norm:.3g}, as --clip measures it"
    if (score := ran.dry_score) is None:
        yield "dry score: none, for the task has no public rows yet"
    else:
        how = "passes" if score.passes else "does not pass"
        yield (
            f"dry score, on the public rows of round {score.round}: loss {score.loss_before:.4f} before your training, "
            f"{score.loss_after:.4f} after; cosine {score.cosine:.3f}, which alone {how} the gate ({score.threshold:.3f})"
        )
