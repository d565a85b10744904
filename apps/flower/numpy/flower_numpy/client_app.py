"""flower-numpy: what each node does."""

from flwr.client import ClientApp, NumPyClient
from flwr.common import Context

from flower_numpy.task import evaluate, load_data, train


class FlowerClient(NumPyClient):
    """A node with its rows."""

    def __init__(self, data, epochs, learning_rate):
        self.train_data, self.test_data = data
        self.epochs, self.learning_rate = epochs, learning_rate

    def fit(self, parameters, config):
        """Train the model on local data."""
        trained = train(parameters, self.train_data, self.epochs, self.learning_rate)
        return trained, len(self.train_data[1]), {}

    def evaluate(self, parameters, config):
        """Evaluate the model on local data."""
        loss, accuracy = evaluate(parameters, self.test_data)
        return float(loss), len(self.test_data[1]), {"accuracy": float(accuracy)}


def client_fn(context: Context):
    """Make the client of a node."""
    data = load_data(context.node_config)
    config = context.run_config
    return FlowerClient(data, config["local-epochs"], config["learning-rate"]).to_client()


app = ClientApp(client_fn)
