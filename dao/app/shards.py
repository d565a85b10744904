"""Reads a task's validation shards from a folder of files: their order, their digests, and the tree over these."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from dao.content.tensor_files import compute_cid
from dao.core.constants import SHARDS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.formats.cid import Cid
from dao.core.types import Digest, Rules, hex_of
from dao.errors import ConfigError


@dataclass(frozen=True)
class Shards:
    """All shards in order. Only the Superlink has them; each round publishes one and retires it."""

    paths: tuple[Path, ...]
    cids: tuple[Cid, ...]
    tree: Tree

    @property
    def root(self) -> Digest:
        """The root that is `validation_root` in a task's rules."""
        return self.tree.root

    def select(self, rules: Rules) -> "Shards":
        """Return the shards that a task's rules have: the first ones, where others wait to be appended; ConfigError without them."""
        first = self._take(rules.shards)
        if first is None or first.root != rules.validation_root:
            root = self.root if first is None else first.root
            raise ConfigError(
                f"shards: {len(self.paths)} files with root {hex_of(root)}, the task has {rules.shards} "
                f"with root {hex_of(rules.validation_root)}; name the folder that it was proposed with"
            )
        return first

    def prove_more(self, rules: Rules) -> tuple[int, Digest, tuple[Digest, ...]]:
        """Return what appends the shards behind a task's own: how many there are then, and the first new leaf's hash and siblings.

        ConfigError where the first ones are not the task's, or none follow.
        """
        self.select(rules)
        if len(self.paths) == rules.shards:
            raise ConfigError(
                f"shards: expected files behind the {rules.shards} of the task, in the order of their names"
            )
        first = Digest(sha256(self.cids[rules.shards].digest).digest())
        return len(self.paths), first, self.proof(rules.shards)

    def _take(self, count: int) -> "Shards | None":
        if count > len(self.paths):
            return None
        if count == len(self.paths):
            return self
        return _make(self.paths[:count], self.cids[:count])

    def proof(self, index: int) -> tuple[Digest, ...]:
        """Return the siblings of a shard from the leaf up."""
        return tuple(self.tree.proof(index))


def read_shards(folder: Path) -> Shards:
    """Hash the files of a folder, in the order of their names, without hidden ones. Blocking.

    ConfigError when there are none, too many, two are equal, or one cannot be read.
    """
    try:
        paths = tuple(
            sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        )
        if not 0 < len(paths) <= 1 << SHARDS_DEPTH:
            raise ConfigError(f"shards {folder}: expected 1 to {1 << SHARDS_DEPTH} files, got {len(paths)}")
        cids = tuple(compute_cid(path) for path in paths)
    except OSError as error:
        raise ConfigError(f"shards {folder}: expected readable files: {error.strerror}") from None
    first: dict[Cid, Path] = {}
    for path, cid in zip(paths, cids, strict=True):
        if (twin := first.setdefault(cid, path)) != path:
            raise ConfigError(
                f"shards {folder}: {twin.name} and {path.name} are equal; each round needs rows of its own"
            )
    return _make(paths, cids)


def _make(paths: tuple[Path, ...], cids: tuple[Cid, ...]) -> Shards:
    return Shards(paths, cids, Tree([cid.digest for cid in cids], SHARDS_DEPTH))
