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
from dao.audit.site_states import SiteStanding, SiteState, read_sites
from dao.chain.contracts import Coordinator
from dao.chain.task_follower import TaskFollower
from dao.cli.chain_options import ChainOptions, open_chain
from dao.cli.content_options import ContentOptions
from dao.cli.option_groups import with_option_groups
from dao.cli.options import JsonOption, TaskArgument
from dao.cli.output import printable
from dao.core.types import TaskId, Timestamp
from dao.errors import ChainError

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
            asyncio.run(_follow(TaskId(task), network, content, board.show))
    else:
        asyncio.run(_follow(TaskId(task), network, content, _Printer(json).show))


async def _follow(
    task: TaskId,
    network: ChainOptions,
    content: ContentOptions,
    show: Callable[[Sequence[SiteState], str], None],
) -> None:
    """Show the sites now, and again with each change, without end; `show` also hears why they could not be read, if so."""
    async with open_chain(network) as chain, content.open(chain.domain) as source:
        await Coordinator(chain).task_of(task, chain.final())
        async with TaskFollower(chain, task) as follower:
            sites: Sequence[SiteState] = []
            while True:
                trouble = ""
                try:
                    sites = await read_sites(chain, task, source)
                except (Missing, ChainError) as error:  # it may come
                    trouble = printable(str(error))
                show(sites, trouble)
                await follower.wait(Timestamp(follower.now() + _LOOK))


@dataclass
class _Board:
    """A table of what was read last."""

    task: int
    sites: Sequence[SiteState] = ()
    trouble: str = "reading the task's rounds"

    def show(self, sites: Sequence[SiteState], trouble: str) -> None:
        self.sites, self.trouble = sites, trouble or ("" if sites else "no round yet")

    def render(self) -> RenderableType:
        table = Table(title=f"task {self.task}", caption=self.trouble, title_justify="left", box=None)
        for column in ("site", "round", "state", "why"):
            table.add_column(column, no_wrap=column != "why")
        for site in self.sites:
            colour = _COLOURS[site.standing]
            standing, why = Text(site.standing, colour), Text(site.why)  # no words of others as markup
            table.add_row(site.node, str(site.round), standing, why)
        return table


@dataclass
class _Printer:
    """Prints each site's state when it changes, a line each."""

    as_json: bool
    shown: dict[str, SiteState] = field(default_factory=dict)
    trouble: str = ""

    def show(self, sites: Sequence[SiteState], trouble: str) -> None:
        for site in self._list_changed(sites):
            line = f"round {site.round}: {site.node} {site.standing}: {site.why}"
            print(json_lines.dumps(asdict(site)) if self.as_json else line, flush=True)
        if trouble and trouble != self.trouble:
            sys.stderr.write(f"dao: {trouble}\n")
        self.trouble = trouble

    def _list_changed(self, sites: Sequence[SiteState]) -> Iterable[SiteState]:
        for site in sites:
            if self.shown.get(site.node) != site:
                self.shown[site.node] = site
                yield site
