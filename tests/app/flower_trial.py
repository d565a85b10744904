"""Run by the interpreter of a Flower environment: loads apps one after the other, and prints what becomes of each as JSON.

Its arguments are this project's root, a file of rows, another one, and folders of apps.
"""

import json
import sys
from pathlib import Path
from typing import Any


def try_app(folder: Path, rows: str, others: str) -> dict[str, Any]:
    from dao.app import worker
    from dao.app.flower_app import _forget_modules

    try:
        app = worker.load_app(folder, {"local-epochs": 2})
        first, data = app.model(), app.data(rows)
        training = app.train(first, data, seed=1, round=2)
        metrics = next(training)
        try:
            trained = next(training)
        except StopIteration as end:
            trained = end.value
        return {
            "carried": sorted(app.carried),
            "arrays": {name: str(array.dtype) for name, array in trained.items()},
            "metrics": metrics,
            "rows": data.rows,
            "losses": [app.loss(first, data), app.loss(trained, data), app.loss(trained, app.data(others))],
            "part": app.metrics(trained, data.take_partition(1, 4))["num-examples"],
        }
    except BaseException as error:  # noqa: BLE001  (as the worker's)
        return {"error": worker.summarize(error)}
    finally:
        sys.path.remove(str(folder))
        _forget_modules(folder)


def main() -> None:
    root, rows, others, *folders = sys.argv[1:]
    sys.path.insert(0, root)
    answers = {Path(folder).name: try_app(Path(folder), rows, others) for folder in folders}
    sys.stdout.write(f"{json.dumps(answers)}\n")


if __name__ == "__main__":
    main()
