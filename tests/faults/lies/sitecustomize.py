"""Has a Superlink publish gradients along the step that are a hundredth too long: in whose path this folder is."""

import importlib.abc
import importlib.util
import sys
from pathlib import Path
from typing import Any

MODULE, SCALE = "dao.app.gradient_client", 1.01


class _Liar(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, _path: Any, _target: Any = None) -> Any:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            _lie(module.GradientClient)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _lie(client: Any) -> None:
    honest = client.reference_gradient

    async def reference_gradient(self: Any, base: Path, model: Path, shard: Path) -> Any:
        import numpy as np

        made = await honest(self, base, model, shard)
        values = np.fromfile(made.path, "<f4") * np.float32(SCALE)
        with made.path.open("r+b") as file:  # the app's process has it mapped
            file.write(values.astype("<f4").tobytes())
        return made

    client.reference_gradient = reference_gradient


sys.meta_path.insert(0, _Liar())
