"""A task's validation shards as a folder of files: their order, their digests, and the tree that the task names."""

from dataclasses import dataclass
from pathlib import Path

from dao.content.tensor_files import compute_cid
from dao.core.constants import SHARDS_DEPTH
from dao.core.errors import ConfigError
from dao.core.formats.cid import Cid
from dao.core.merkle import Tree
from dao.core.types import Digest


@dataclass(frozen=True)
class Shards:
    """All shards in order. Only the Superlink has them: one is shown to the others in each round, and retired."""

    paths: tuple[Path, ...]
    cids: tuple[Cid, ...]
    tree: Tree

    @property
    def root(self) -> Digest:
        """What a task's rules call `validation_root`."""
        return self.tree.root

    def proof(self, index: int) -> tuple[Digest, ...]:
        """Siblings of a shard from the leaf up."""
        return tuple(self.tree.proof(index))


def read_shards(folder: Path) -> Shards:
    """Hash the files of a folder, which stand in the order of their names; hidden ones are none. Blocks.

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
