"""`script/bench`: measures rounds of real networks and prints a line for each; see --help of its commands."""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.overhead import overhead
from dao.core.types import Codec
from dao.errors import DaoError


def _parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_rounds(commands)
    _add_reads(commands)
    page = commands.add_parser("page", help="the page in a real browser")
    page.add_argument(
        "--busy", type=int, default=0, help="processes beside it that want a core, 0 by default"
    )
    page.add_argument("--json", type=Path, help="write the figures to this file")
    store = commands.add_parser(
        "store", help="what rounds leave: a Superlink's store and IPFS node, and journals"
    )
    store.add_argument("--rounds", type=int, default=1000, help="how many, 1000 by default")
    store.add_argument("--mb", type=float, default=1, help="size of the model in 10^6 bytes, 1 by default")
    store.add_argument(
        "--shard-mb", type=float, default=1, help="size of a shard in 10^6 bytes, 1 by default"
    )
    store.add_argument("--keep", type=int, default=20, help="content.keep_rounds, 20 by default")
    store.add_argument("--with-ipfs", action="store_true", help="with an IPFS node beside it")
    store.add_argument("--json", type=Path, help="write the figures to this file")
    core = commands.add_parser("core", help="the arithmetic of a round, step by step")
    core.add_argument("--mb", type=int, default=100, help="size of the model in 10^6 bytes, 100 by default")
    disputes = commands.add_parser("disputes", help="what it takes to convict each lie of a Superlink")
    disputes.add_argument(
        "--sizes", default="10x100,100x25,1000x1", help="Supernodes x megabytes, as 10x100,1000x1"
    )
    disputes.add_argument("--json", type=Path, help="write the rows to this file")
    _add_privacy(commands)
    _add_codec(commands)
    _add_apps(commands)
    simulate = commands.add_parser("simulate", help="simulated rounds beside the same trainings in one loop")
    simulate.add_argument("--nodes", default="50,200", help="how many, as 50,200")
    simulate.add_argument("--rounds", type=int, default=5, help="how many, 5 by default")
    simulate.add_argument("--ray", action="store_true", help="also by a Ray cluster on this machine")
    simulate.add_argument("--json", type=Path, help="write the rows to this file")
    check = commands.add_parser("check", help="a site's table, checked by an app's schema")
    check.add_argument("--rows", type=int, default=1_000_000, help="of the table, 1000000 by default")
    check.add_argument("--json", type=Path, help="write the figures to this file")
    attacks = commands.add_parser("attacks", help="what attacks on pay and model bring; see bench/attacks")
    attacks.add_argument("--attacks", help="only these, as copy4,alie,honest")
    attacks.add_argument("--data", default="mnist,cancer", help="mnist, cancer or both")
    attacks.add_argument("--splits", default="iid,dirichlet", help="iid, dirichlet or both")
    attacks.add_argument("--seeds", type=int, default=8, help="how many, 8 by default")
    attacks.add_argument(
        "--members", type=int, default=2, help="nodes that try each alone, in turn; 2 by default"
    )
    attacks.add_argument("--first", type=int, default=0, help="the first seed, to make a table in pieces")
    attacks.add_argument(
        "--own",
        action="store_true",
        help="nodes train on their own rows alone, not on the shards of earlier rounds",
    )
    attacks.add_argument("--jobs", type=int, default=2, help="processes, 2 by default")
    attacks.add_argument("--json", type=Path, help="write the rows to this file")
    return parser.parse_args()


def _add_rounds(commands: Any) -> None:
    """Add the options of `overhead` and `nodes`."""
    sizes = commands.add_parser(
        "overhead", help="rounds of a model of N megabytes that is not really trained"
    )
    sizes.add_argument("--mb", default="1,25,100", help="sizes of the model in 10^6 bytes, as 1,25,100")
    many = commands.add_parser("nodes", help="a round of many Supernodes on this machine")
    many.add_argument("--mb", default="1", help="size of the model in 10^6 bytes")
    for command, nodes in ((sizes, 4), (many, 50)):
        command.add_argument("--nodes", type=int, default=nodes, help=f"Supernodes, {nodes} by default")
        command.add_argument("--rounds", type=int, default=3, help="rounds to measure, 3 by default")
        command.add_argument("--warm-up", type=int, default=1, help="rounds before these, 1 by default")
        command.add_argument(
            "--codec", type=Codec, choices=list(Codec), default=Codec.INT8, help="of updates, int8 by default"
        )
        command.add_argument("--json", type=Path, help="write the figures to this file")
        command.add_argument("--home", type=Path, help="keep daemons' folders and logs here; must not exist")


def _add_reads(commands: Any) -> None:
    """Add the options of `index` and `api`."""
    index = commands.add_parser("index", help="an index that is filled from zero, and read")
    index.add_argument("--events", type=int, default=100_000, help="how many, 100000 by default")
    index.add_argument("--database", help="URL of an empty database; without, SQLite in a file")
    index.add_argument("--json", type=Path, help="write the figures to this file")
    api = commands.add_parser("api", help="reads of an API over a filled index, at a steady rate")
    api.add_argument("--events", type=int, default=100_000, help="in the index, 100000 by default")
    api.add_argument("--rate", type=int, default=100, help="requests a second, 100 by default")
    api.add_argument("--busy", type=int, default=0, help="processes beside it that want a core, 0 by default")
    api.add_argument("--seconds", type=int, default=30, help="how long, 30 by default")
    api.add_argument("--database", help="URL of an empty database; without, SQLite in a file")
    api.add_argument("--json", type=Path, help="write the figures to this file")


def _add_privacy(commands: Any) -> None:
    """Add the options of `privacy`."""
    privacy = commands.add_parser("privacy", help="what honest work earns with private updates")
    privacy.add_argument("--epsilons", default="1,8,50,500,5000", help="of eight rounds, as 1,8,50")
    privacy.add_argument("--data", default="mnist,cancer", help="mnist, cancer or both")
    privacy.add_argument("--splits", default="iid,dirichlet", help="iid, dirichlet or both")
    privacy.add_argument("--seeds", type=int, default=4, help="how many, 4 by default")
    privacy.add_argument("--jobs", type=int, default=2, help="processes, 2 by default")
    privacy.add_argument("--chart", type=Path, help="draw a chart to this file, as SVG")
    privacy.add_argument("--json", type=Path, help="write the rows to this file")


def _add_codec(commands: Any) -> None:
    """Add the options of `codec`."""
    codec = commands.add_parser("codec", help="what a codec costs in loss, on a small language model")
    codec.add_argument("--codecs", default="int8,topk", help="which, as int8,topk")
    codec.add_argument("--rounds", type=int, default=1000, help="how many, 1000 by default")
    codec.add_argument("--nodes", type=int, default=8, help="Supernodes, 8 by default")
    codec.add_argument("--steps", type=int, default=1, help="of training in a round, 1 by default")
    codec.add_argument(
        "--seed", type=int, default=1, help="of model, order of text and training, 1 by default"
    )
    codec.add_argument("--json", type=Path, help="write the rows to this file")


def _add_apps(commands: Any) -> None:
    """Add the options of `apps`."""
    apps = commands.add_parser("apps", help="apps of many frameworks, each for some simulated rounds")
    apps.add_argument("--only", default="", help="frameworks or folders of apps, as lora,resnet")
    apps.add_argument("--json", type=Path, help="write the rows to this file")


def main() -> None:
    """Run one of the commands."""
    given = _parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no daemon outlives it
    alone = {
        "page": _page,
        "store": _store,
        "core": _core,
        "disputes": _disputes,
        "attacks": _attacks,
        "apps": _apps,
        "check": _check,
        "codec": _codec,
        "simulate": _simulate,
        "privacy": _privacy,
        "index": _reads,
        "api": _reads,
    }
    if given.command in alone:
        alone[given.command](given)
        return
    try:
        rows = [
            _in_folder(given.home and given.home / f"{mb}-mb", mb, given)
            for mb in map(int, given.mb.split(","))
        ]
    except DaoError as error:
        sys.exit(f"script/bench: {error}")
    _write(given, rows)


def _reads(given: argparse.Namespace) -> None:
    """Measure the index, or the API."""
    from bench import api_load, index_load

    try:
        if given.command == "index":
            row = index_load.measure(given.events, given.database)
        else:
            row = api_load.measure(given.events, given.rate, given.seconds, given.database, given.busy)
    except DaoError as error:
        sys.exit(f"script/bench: {error}")
    sys.stdout.write(json.dumps(row) + "\n")
    _write(given, [row])


def _attacks(given: argparse.Namespace) -> None:
    """Play attacks, print a table and write the rows."""
    from bench.attacks import report, table

    names = given.attacks.split(",") if given.attacks else table.ALL
    data, splits, seeds = (
        given.data.split(","),
        given.splits.split(","),
        range(given.first, given.first + given.seeds),
    )
    cells = table.make_cells(data, splits, seeds, names, given.members, shared=not given.own)
    rows = table.make_table(cells, given.jobs)
    sys.stdout.write(report.format_table(rows))
    _write(given, rows)


def _apps(given: argparse.Namespace) -> None:
    """Play apps of many frameworks, print a table and write the rows."""
    from bench import flower_apps, frameworks

    only = given.only.split(",") if given.only else []
    rows: list[dict[str, Any]] = []
    try:
        for play in (frameworks.play_apps, flower_apps.play_flower_apps):
            rows += play(only)
    except DaoError as error:
        sys.exit(f"script/bench: {error}")
    sys.stdout.write(frameworks.format_apps(rows))
    _write(given, rows)


def _privacy(given: argparse.Namespace) -> None:
    """Play honest nodes with private updates, print a table, draw a chart and write the rows."""
    from bench.attacks import private

    epsilons = [float(epsilon) for epsilon in given.epsilons.split(",")]
    settings = given.data.split(","), given.splits.split(","), range(given.seeds)
    rows = private.make_rows(private.make_private_cells(*settings, epsilons), given.jobs)
    sys.stdout.write(private.format_private(rows))
    if given.chart:
        private.draw_chart(rows, given.chart)
    _write(given, rows)


def _check(given: argparse.Namespace) -> None:
    """Time the check of a table."""
    from bench.check_load import measure

    try:
        row = measure(given.rows)
    except DaoError as error:
        sys.exit(f"script/bench: {error}")
    sys.stdout.write(json.dumps(row) + "\n")
    _write(given, [row])


def _codec(given: argparse.Namespace) -> None:
    """Compare codecs by the loss that the same rounds lead to."""
    from bench.codec_loss import measure

    def say(row: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()

    try:
        codecs = [Codec(name) for name in given.codecs.split(",")]
    except ValueError as error:
        sys.exit(f"script/bench: --codecs: {error}; expected some of {', '.join(Codec)}")
    _write(given, measure(codecs, given.rounds, given.nodes, given.steps, say, given.seed))


def _simulate(given: argparse.Namespace) -> None:
    """Measure simulations, and write a row for each number of nodes."""
    from bench.simulated_load import measure

    rows = []
    try:
        for nodes in map(int, given.nodes.split(",")):
            rows.append(measure(nodes, given.rounds, ray=given.ray))
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
    except DaoError as error:
        sys.exit(f"script/bench: {error}")
    _write(given, rows)


def _core(given: argparse.Namespace) -> None:
    """Time the arithmetic."""
    from bench.arithmetic import measure

    measure(given.mb)


def _store(given: argparse.Namespace) -> None:
    """Measure what a store grows to."""
    from bench.store_growth import measure

    with tempfile.TemporaryDirectory(prefix="commonweight-bench-") as folder:
        try:
            row = asyncio.run(
                measure(Path(folder), given.rounds, given.mb, given.shard_mb, given.keep, given.with_ipfs)
            )
        except DaoError as error:
            sys.exit(f"script/bench: {error}")
    sys.stdout.write(json.dumps(row) + "\n")
    _write(given, [row])


def _disputes(given: argparse.Namespace) -> None:
    """Have every lie told and convicted, and write the rows."""
    from bench.dispute_costs import measure

    rows = []
    try:
        for size in given.sizes.split(","):
            nodes, mb = map(int, size.split("x"))
            found = asyncio.run(measure(nodes, mb))
            rows += found
            for row in found:
                sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    except DaoError as error:
        sys.exit(f"script/bench: {error}")
    _write(given, rows)


def _page(given: argparse.Namespace) -> None:
    """Measure the page."""
    from bench.page_load import measure

    try:
        row = asyncio.run(measure(given.busy))
    except DaoError as error:
        sys.exit(f"script/bench: {error}")
    sys.stdout.write(json.dumps(row) + "\n")
    _write(given, [row])


def _write(given: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    if given.json:
        given.json.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")


def _in_folder(home: Path | None, mb: int, given: argparse.Namespace) -> dict[str, Any]:
    """Measure one size in a folder of its own."""
    folder = home or Path(tempfile.mkdtemp(prefix="commonweight-bench-"))
    folder.mkdir(parents=True, exist_ok=home is None)
    app = "light" if given.command == "nodes" else "overhead"
    try:
        row = asyncio.run(overhead(folder, app, mb, given.nodes, given.rounds, given.codec, given.warm_up))
    finally:
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
    return row


if __name__ == "__main__":
    main()
