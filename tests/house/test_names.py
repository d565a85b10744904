"""A file's stem and a public class's name mean one thing in the whole tree."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.house.source_trees import parse

ROOT = Path(__file__).parents[2]
# Where a stem stands for one subject in several rooms: the subject, and the rooms.
SHARED = {
    # node and aggregator are mirror images
    "daemon": ("the assembly of a long-running process", {"node", "aggregator", "dao/api"}),
    "commands": ("what a command does on chain for a daemon's owner", {"node", "aggregator"}),
    "readiness": ("what is missing before a round can be played", {"node", "aggregator"}),
    "journal": ("what a daemon signed and saw, written before anything leaves", {"node", "aggregator"}),
    "settings": ("the settings of a daemon", {"node", "aggregator", "dao/api"}),
    "status": ("what a daemon shows of itself", {"node", "aggregator"}),
    # a file of dao/cli is named as its command
    "deploy": ("the contracts put on a chain", {"dao/chain", "dao/cli"}),
    "superlink": ("the Superlink: its round, and its commands", {"aggregator", "dao/cli"}),
    # content's name: its form, and how it follows from bytes
    "cid": ("the CID of content", {"dao/core/formats", "dao/store"}),
    # a route, its answers' models and the reads behind it
    "cards": ("what a task is for, by its card", {"dao/api/models", "dao/content", "dao/index/reads"}),
    "cases": ("disputes of results", {"dao/api/models", "dao/api/routes", "dao/index/reads"}),
    "claims": ("payouts to owners", {"dao/api", "dao/api/routes"}),
    "decisions": ("proposals and votes", {"dao/api/models", "dao/api/routes", "dao/index/reads"}),
    "drafts": ("actions to propose, as JSON", {"dao/api/routes", "dao/gov"}),
    "feed": ("events, in order", {"dao/api/models", "dao/api/routes", "dao/index/reads"}),
    "members": ("accounts, stakes and delegates", {"dao/api/models", "dao/api/routes"}),
    "training": ("tasks, rounds and their nodes", {"dao/api/models", "dao/index/reads"}),
}


def modules() -> Iterator[Path]:
    """Our own modules, relative to the root; neither what protoc wrote nor migrations, which are named by number, nor templates of apps."""
    for package in ("dao", "node", "aggregator", "bench"):
        for path in sorted((ROOT / package).rglob("*.py")):
            others = {"migrations", "templates"} & {*path.parts}
            if not path.stem.startswith("__") and "_pb2" not in path.stem and not others:
                yield path.relative_to(ROOT)


def rooms_by_name(names: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    """The names that occur more than once, with the rooms or modules in which they do."""
    places: dict[str, list[str]] = defaultdict(list)
    for name, place in names:
        places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def classes() -> Iterator[tuple[str, str]]:
    for path in modules():
        for node in parse(ROOT / path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, str(path)


def test_stems__in_several_rooms__are_one_subject_of_the_table() -> None:
    stems = rooms_by_name((path.stem, str(path.parent)) for path in modules())
    unexplained = {stem: set(rooms) - SHARED.get(stem, ("", set()))[1] for stem, rooms in stems.items()}
    assert not {stem: rooms for stem, rooms in unexplained.items() if rooms}


def test_classes__each_public_name__is_defined_once() -> None:
    assert not rooms_by_name(classes())
