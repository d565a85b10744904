"""flower-numpy: the first model, and how updates are put together."""

from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg

from flower_numpy.task import get_initial_weights


def server_fn(context: Context):
    """Make the strategy and its rounds."""
    strategy = FedAvg(
        fraction_fit=context.run_config["fraction-fit"],
        initial_parameters=ndarrays_to_parameters(get_initial_weights()),
    )
    return ServerAppComponents(
        strategy=strategy, config=ServerConfig(num_rounds=context.run_config["num-server-rounds"])
    )


app = ServerApp(server_fn=server_fn)
