"""flower-sklearn: the first model, and how updates are put together."""

import joblib
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from flower_sklearn.task import get_model_params, make_model, set_model_params

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train for some rounds, and save the model."""
    model = make_model(context.run_config["local-epochs"])
    strategy = FedAvg(fraction_train=1.0, fraction_evaluate=1.0)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(get_model_params(model)),
        num_rounds=context.run_config["num-server-rounds"],
    )
    joblib.dump(set_model_params(model, result.arrays.to_numpy_ndarrays()), "logreg_model.pkl")
