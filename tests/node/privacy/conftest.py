from pathlib import Path

import numpy as np
import pytest

from tests.node.privacy.test_mechanism import write


@pytest.fixture
def models(tmp_path: Path) -> None:
    """A base model and a trained one."""
    write(tmp_path / "base", 0.0)
    write(tmp_path / "trained", np.float32(0.25))
