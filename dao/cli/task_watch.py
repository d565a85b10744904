"""`dao task watch`: for each site of a task, as it happens, whether it is waited for, counts, passes or failed, and why."""

import asyncio
import json as json_lines
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dao.audit.findings import Missing
from dao.audit.site_states import SiteReader, SiteStanding, SiteState, TaskSites
from dao.chain.contracts import Coordinator
from dao.chain.task_follower import TaskFollower
from dao.cli.chain_options import ChainOptions, open_chain
from dao.cli.content_options import ContentOptions
from dao.cli.option_groups import with_option_groups
from dao.cli.options import JsonOption, TaskArgument
from dao.cli.output import printable
from dao.core.types import TaskId, Timestamp
from dao.errors import ChainError, DecodeError

_LOOK = 5  # seconds of block time until the state is read again without news: what is final comes later than the news
_COLOURS = {
    SiteStanding.WAITING: "cyan",
    SiteStanding.COUNTED: "green",
    SiteStanding.PASSING: "yellow",
    SiteStanding.FAILED: "red",
}


@with_option_groups
def watch(
    task: TaskArgument, *, network: ChainOptions, content: ContentOptions, json: JsonOption = False
) -> None:
    """Watch a task's sites until Ctrl-C: which are waited for, counted, passing or failed, and the last line of why.

    At a terminal a table follows the rounds; elsewhere each change is a line, with --json an object. While a round is open, chain and
    manifests do not say who has committed: the Superlink's operator has that from dao superlink status, everyone on the page.

    Example: dao task watch 1 --superlink superlink.example:8600
    """
    console = Console()
    if console.is_terminal and not json:
        board = _Board(task)
        with Live(get_renderable=board.render, console=console, refresh_per_second=2):
            asyncio.run(follow(TaskId(task), network, content, board.show))
    else:
        asyncio.run(follow(TaskId(task), network, content, _Printer(json).show))


async def follow(
    task: TaskId,
    network: ChainOptions,
    content: ContentOptions,
    show: Callable[[TaskSites, str], None],
) -> None:
    """Show the sites now, and again with each change, without end; `show` also hears why they could not be read, if so."""
    async with open_chain(network) as chain, content.open(chain.domain) as source:
        await Coordinator(chain).task_of(task, chain.final())
        async with TaskFollower(chain, task) as follower:
            reader, found = SiteReader(chain, task, source), TaskSites()
            while True:
                trouble = ""
                try:
                    found = await reader.read()
                except (Missing, DecodeError, ChainError) as error:  # it may come, or a better one after it
                    trouble = printable(str(error))
                show(found, trouble)
                await follower.wait(Timestamp(follower.now() + _LOOK))


@dataclass
class _Board:
    """A table of what was read last."""

    task: int
    sites: Sequence[SiteState] = ()
    caption: str = "reading the task's rounds"

    def show(self, found: TaskSites, trouble: str) -> None:
        self.sites = found.sites
        self.caption = trouble or found.news or ("" if found.round else "no round yet")

    def render(self) -> RenderableType:
        caption = Text(self.caption)  # no words of others as markup, here and below
        table = Table(title=f"task {self.task}", caption=caption, title_justify="left", box=None)
        for column in ("site", "round", "state", "why"):
            table.add_column(column, no_wrap=column != "why")
        for site in self.sites:
            colour = _COLOURS[site.standing]
            standing, why = Text(site.standing, colour), Text(site.why)
            table.add_row(site.node, str(site.round), standing, why)
        return table


@dataclass
class _Printer:
    """Prints each site's state when it changes, and what else is new, a line each."""

    as_json: bool
    shown: dict[str, SiteState] = field(default_factory=dict)
    news: str = ""
    trouble: str = ""

    def show(self, found: TaskSites, trouble: str) -> None:
        for site in self._list_changed(found.sites):
            self._print(asdict(site), f"round {site.round}: {site.node} {site.standing}: {site.why}")
        if found.news and found.news != self.news:
            news = {"round": found.round, "phase": found.phase.name.lower(), "ended": found.ended}
            self._print(news, printable(found.news))
        self.news = found.news
        if trouble and trouble != self.trouble:
            sys.stderr.write(f"dao: {trouble}\n")
        self.trouble = trouble

    def _print(self, fields: dict[str, object], line: str) -> None:
        print(json_lines.dumps(fields) if self.as_json else line, flush=True)

    def _list_changed(self, sites: Sequence[SiteState]) -> Iterable[SiteState]:
        for site in sites:
            if self.shown.get(site.node) != site:
                self.shown[site.node] = site
                yield site
