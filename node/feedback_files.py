"""Keeps what a node's updates leave out, on disk, from one round to the next: a file for each, as large as a model.

A file is written aside and moved into place before the update is signed. Whoever loses one loses what had not been sent yet, and
what was sent too much, by GAIN, is not taken back; an update without it is as valid. What was sent too much in an update that came
to nothing, gated or withheld, later ones take back all the same.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import structlog

from dao.content.tensor_files import new_file, open_model
from dao.core.formats.feedback import Feedback, write_start
from dao.core.formats.layout import FLOAT, Layout, Model, encode_model_header
from dao.core.types import Digest, RoundId
from dao.errors import DaoError, RuleError

_log = structlog.get_logger()

OpenFeedback = Callable[[Layout], AbstractContextManager[Feedback | None]]


def no_feedback(_: Layout) -> AbstractContextManager[None]:
    """Return the feedback of an update that leaves nothing out, or of which nobody keeps it."""
    return nullcontext()


@dataclass(frozen=True)
class FeedbackFiles:
    """The files of one node in one task, named by the round of the update and its base model.

    A round's feedback is what the newest update before it left out, of those to another base model: where a round is played anew
    from the same base, its first update is in no model, and what went into it counts once more.
    """

    folder: Path

    @contextmanager
    def open(self, round_id: RoundId, base: Digest, layout: Layout) -> Iterator[Feedback]:
        """Give the feedback of a round's update, and keep what it leaves out once the block ends without an error. Blocks."""
        self.folder.mkdir(parents=True, exist_ok=True)
        source = self._find(round_id, base)
        aside = self.folder / "new"
        try:
            with new_file(aside, encode_model_header(layout), (layout.size,), FLOAT) as values:
                yield Feedback(layout, self._read(source, layout), values)
        except RuleError:  # with it, the change may not have fitted: the next update goes without
            if source is not None:
                source.unlink(missing_ok=True)
            raise
        kept = self.folder / f"{round_id:012}-{base.hex()}"
        aside.replace(kept)
        for path in self.folder.iterdir():
            if path not in (kept, source):
                path.unlink(missing_ok=True)

    def write_start(self, round_id: RoundId, base: Digest, model: Path, out: Path) -> Path:
        """Write the model from which a round's training starts to `out`, and return it; without feedback, `model`. Blocks.

        `model` is the file of the base model.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        before = open_model(model)
        left = self._read(self._find(round_id, base), before.layout)
        if left is None:
            return model
        with new_file(out, encode_model_header(before.layout), (before.layout.size,), FLOAT) as values:
            write_start(before, left, values)
        return out

    def _find(self, round_id: RoundId, base: Digest) -> Path | None:
        """Return the file that a round goes on from."""
        names = sorted(path.name for path in self.folder.iterdir() if "-" in path.name)
        older = [name for name in names if int(name[:12]) < round_id and not name.endswith(base.hex())]
        return self.folder / older[-1] if older else None

    def _read(self, path: Path | None, layout: Layout) -> Model | None:
        """Read what an update left out; None, with a warning, where the file is damaged or of another model."""
        if path is None:
            return None
        try:
            left = open_model(path)
            if left.layout == layout:
                return left
            problem = "it is of another model"
        except (DaoError, OSError, ValueError) as error:
            problem = str(error)
        _log.warning("what earlier updates left out is lost", file=str(path), error=problem)
        return None
