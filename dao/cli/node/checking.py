"""`dao node check`: data and app looked at before anything is staked, without a key; shared with `dao node join`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from dao.cli import options
from dao.cli.chain_options import ChainOptions, open_chain
from dao.cli.content_options import ContentOptions
from dao.cli.option_groups import with_option_groups
from dao.cli.options import AppPythonOption, JsonOption, TaskArgument
from dao.cli.output import print_json, printable
from dao.core.types import TaskId
from dao.errors import ConfigError, DataError
from dao.gov.units import MEGABIT
from node.check.site_check import SiteReport, describe_report


@with_option_groups
def check(
    task: TaskArgument,
    data: Annotated[Path, options.DATA],
    *,
    network: ChainOptions,
    content: ContentOptions,
    app_python: AppPythonOption = None,
    line: Annotated[
        float | None,
        typer.Option("--line", min=0.001, help="Megabits a second that your line sends."),
    ] = None,
    schema_only: Annotated[
        bool,
        typer.Option("--schema-only", help="Look at the data by the app's schema, and do not run the app."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check your data and the task's app on them, without stake or key; nothing leaves this machine.

    Defects are named by row and column, never by value. The app runs in the sandbox.

    Example: dao node check 1 --data mine.csv --superlink host:8600
    """
    from dao.app.sandbox import SandboxSettings
    from node.check.rehearsal import SiteApp
    from node.check.site_check import check_site
    from node.check.task_inputs import fetch_inputs

    if not data.exists():
        raise ConfigError(f"--data {data}: no such file or folder")
    site = SiteApp(data.absolute(), (app_python or Path(sys.executable)).absolute(), SandboxSettings())

    async def run() -> SiteReport:
        async with open_chain(network) as chain, content.open(chain.domain) as source:
            inputs = await fetch_inputs(chain, source, TaskId(task))
            rate = line and line * MEGABIT
            return await check_site(inputs, site, runs_app=not schema_only, line_rate=rate)

    report = asyncio.run(run())
    if json:
        print_json(report.document())
    else:
        for text in describe_report(report):
            print(printable(text))
    require_fit(report, "correct these, then check again")


def require_fit(report: SiteReport, remedy: str) -> None:
    """DataError where a report has faults; `remedy` says what to do."""
    count = len(report.faults)
    if count:
        more = f", and {count - 1} more" if count > 1 else ""
        raise DataError(f"data: {report.faults[0]}{more}; {remedy}")
