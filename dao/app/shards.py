"""Reads a task's validation shards from a folder of files: their order, their digests, and the tree over these."""

from dataclasses import dataclass
from pathlib import Path

from dao.content.tensor_files import compute_cid
from dao.core.constants import SHARDS_DEPTH
from dao.core.engine.merkle import Tree
from dao.core.formats.cid import Cid
from dao.core.types import Digest
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
    return Shards(paths, cids, Tree([cid.digest for cid in cids], SHARDS_DEPTH))
