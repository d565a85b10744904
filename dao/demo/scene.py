"""What a simulation plays with: an app with data named, an app's folder that names its data, or the demonstration's digits."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dao.app.bundle import bundle, is_app, is_flower_app, unpack
from dao.app.environment import PROJECT_FILE, find_interpreter, read_project
from dao.app.frozen_base import find_frozen_base, place_frozen_base
from dao.demo.attacks import ATTACKS
from dao.demo.images import APP, deal
from dao.demo.plan import DemoMember, Role, list_members
from dao.demo.split import Split
from dao.errors import AppError, ConfigError

MOST_NODES, DEALT_NODES = 10_000, 20
KEYS = {"data", "shards", "test", "make-data", "label", "loss"}  # of [tool.commonweight]
DEFAULT_LABEL = "y"
_MAKE_LIMIT = 600.0  # seconds for the script that makes data


@dataclass(frozen=True)
class Wish:
    """What the user named; None where nothing was."""

    app: Path | None
    data: Sequence[Path]
    shards: Path | None
    test: Path | None
    python: Path | None
    nodes: int | None
    split: str | None
    attack: str | None
    label: str | None


@dataclass(frozen=True)
class Scene:
    """The app, unpacked as others will have it, and who plays: `data` are one file for each member, or one to deal by `split`.

    Where `is_dealt_by_app`, all have one, of which a Flower app takes each one's part.
    """

    name: str
    app: Path
    python: Path
    members: Sequence[DemoMember]
    attacks: Mapping[int, str]  # member → what it does instead of honest work
    data: Sequence[Path]
    split: Split | None
    shards: Path
    test: Path | None
    label: str
    is_dealt_by_app: bool = False


def set_scene(wish: Wish, folder: Path) -> Scene:
    """Find or make all that is played with, below `folder` what is made. Blocks.

    ConfigError where a part is missing, AppError where the app's environment or data cannot be made.
    """
    attack, count = parse_attack(wish.attack)
    here = Path()
    app = wish.app or (here if is_app(here) else None)
    if app is None:
        return _set_demonstration(wish, attack, count, folder)
    if not wish.data or wish.shards is None:
        wish = _complete(wish, app)
    data, shards = wish.data, wish.shards
    if not data or shards is None:
        raise ConfigError(
            f"--app {app}: expected --data for each contributor, and --shards; or both in [tool.commonweight] of its "
            f"{PROJECT_FILE}"
        )
    for path in (*data, *([wish.test] if wish.test else [])):
        if not path.exists():
            raise ConfigError(f"{path}: expected a contributor's data or the test's, and there is nothing")
    is_dealt = wish.nodes is not None or wish.split is not None
    if is_dealt and len(data) > 1:
        raise ConfigError("--data: expected one file to deal among --nodes, or none of --nodes and --split")
    is_flower = is_flower_app(app)
    if is_flower:
        _require_undealt(wish, attack)
    members = (
        [DemoMember(index, f"node {index + 1}", Role.DEALT) for index in range(wish.nodes or DEALT_NODES)]
        if is_dealt
        else [DemoMember(index, path.name, Role.OWN) for index, path in enumerate(data)]
    )
    attacks = _choose_attackers(members, attack, count)
    is_dealt_by_app = is_flower and is_dealt
    return Scene(
        name=app.resolve().name,
        app=_unpack(app, folder / "app"),
        python=wish.python or find_interpreter(app),
        members=_name_attackers(members, attacks),
        attacks=attacks,
        data=[data[0]] * len(members) if is_dealt_by_app else data,
        split=Split.parse(wish.split or "iid") if is_dealt and not is_flower else None,
        shards=shards,
        test=wish.test,
        label=wish.label or DEFAULT_LABEL,
        is_dealt_by_app=is_dealt_by_app,
    )


def _require_undealt(wish: Wish, attack: str) -> None:
    """Raise ConfigError for what needs rows and labels, which of a Flower app only itself has."""
    options = {"--split": wish.split, "--label": wish.label, "--attack label-flip": attack == "label-flip"}
    for option, value in options.items():
        if value:
            raise ConfigError(
                f"{option}: a Flower app reads and deals its data itself; name --data for each contributor, or --nodes"
            )


def _unpack(app: Path, into: Path) -> Path:
    """Unpack an app as others will have it, with its frozen base."""
    unpack(bundle(app), into)
    place_frozen_base(find_frozen_base(app), into)
    return into


def parse_attack(text: str | None) -> tuple[str, int]:
    """Read `NAME:COUNT`, as label-flip:3; ("", 0) for None. ConfigError lists the names."""
    if text is None:
        return "", 0
    name, _, number = text.partition(":")
    if name not in ATTACKS or not re.fullmatch(r"[1-9]\d{0,4}", number or "1", re.ASCII):
        raise ConfigError(
            f"--attack {text}: expected NAME:COUNT, such as label-flip:3, with one of {', '.join(ATTACKS)}"
        )
    return name, int(number or 1)


def _set_demonstration(wish: Wish, attack: str, count: int, folder: Path) -> Scene:
    if wish.data or wish.shards or wish.test or wish.python or wish.label:
        raise ConfigError("--app: expected the folder of an app, as its data, labels or shards are named")
    is_dealt = wish.split is not None or wish.attack is not None
    nodes = wish.nodes or (DEALT_NODES if is_dealt else 5)
    if is_dealt:
        members = [DemoMember(index, f"node {index + 1}", Role.DEALT) for index in range(nodes)]
        dealt = deal([DemoMember(0, "all", Role.GOOD)], folder / "data")
    else:
        members = list(list_members(nodes))
        dealt = deal(members, folder / "data")
    attacks = _choose_attackers(members, attack, count)
    riders = {one.index: "free-ride" for one in members if one.role is Role.FREE_RIDER}
    return Scene(
        name=APP.name,
        app=APP,
        python=Path(sys.executable),
        members=_name_attackers(members, attacks),
        attacks=riders | attacks,
        data=dealt.members,
        split=Split.parse(wish.split or "iid") if is_dealt else None,
        shards=dealt.shards,
        test=dealt.test,
        label=DEFAULT_LABEL,
    )


def _choose_attackers(members: Sequence[DemoMember], attack: str, count: int) -> dict[int, str]:
    """Return the last members as attackers; ConfigError where nobody would be left."""
    if attack and count >= len(members):
        raise ConfigError(f"--attack {attack}:{count}: expected fewer than the {len(members)} contributors")
    return {one.index: attack for one in members[len(members) - count :]} if attack else {}


def _name_attackers(members: Sequence[DemoMember], attacks: Mapping[int, str]) -> list[DemoMember]:
    return [
        DemoMember(one.index, f"{one.name} ({attacks[one.index]})", Role.ATTACKER)
        if one.index in attacks
        else one
        for one in members
    ]


def _complete(wish: Wish, app: Path) -> Wish:
    """Add what the app's pyproject.toml names, and make its data where they are not there yet."""
    project = read_project(app)
    named = _read_settings(project.settings if project else {}, app)
    paths = {key: app / named[key] for key in ("data", "shards", "test") if key in named}
    if "make-data" in named and not all(path.exists() for path in paths.values()):
        _make_data(app, wish.python or find_interpreter(app), named["make-data"])
    return Wish(
        app=app,
        data=wish.data or ([paths["data"]] if "data" in paths else []),
        shards=wish.shards or paths.get("shards"),
        test=wish.test or paths.get("test"),
        python=wish.python,
        nodes=wish.nodes or (None if wish.data else DEALT_NODES),
        split=wish.split,
        attack=wish.attack,
        label=wish.label or named.get("label"),
    )


def _read_settings(settings: Mapping[str, Any], app: Path) -> dict[str, str]:
    for key, value in settings.items():
        if key not in KEYS or not isinstance(value, str):
            raise ConfigError(
                f"{app / PROJECT_FILE}: [tool.commonweight] {key}: expected texts named {', '.join(sorted(KEYS))}"
            )
    return dict(settings)


def _make_data(app: Path, python: Path, script: str) -> None:
    """Run the author's own script in the app's folder, by the app's interpreter."""
    try:
        done = subprocess.run(
            [str(python.absolute()), script],
            cwd=app,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_MAKE_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AppError(f"{app / script}: took longer than {_MAKE_LIMIT:.0f} s to make data") from None
    if done.returncode:
        words = (done.stderr.strip() or "it said nothing").rpartition("\n")[2]
        raise AppError(f"{app / script}: could not make data: {words[:500]}")
