"""The first model, and how updates are put together: the network averages them, as FedAvg does."""

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from flowerapp.task import Net

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context):
    """Start training: here ends what the network runs of this."""
    FedAvg().start(
        grid=grid,
        initial_arrays=ArrayRecord(Net().state_dict()),
        num_rounds=context.run_config["num-server-rounds"],
    )
