"""flower-sklearn: what each node does."""

import warnings

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from sklearn.metrics import log_loss

from flower_sklearn.task import CLASSES, get_model_params, load_data, make_model, set_model_params

app = ClientApp()


@app.train()
def train(msg: Message, context: Context):
    """Train the model on local data."""
    model = make_model(context.run_config["local-epochs"])
    set_model_params(model, msg.content["arrays"].to_numpy_ndarrays())
    x_train, y_train, _, _ = load_data(context.node_config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few steps do not converge
        model.fit(x_train, y_train)
    metrics = {
        "num-examples": len(x_train),
        "train_logloss": log_loss(y_train, model.predict_proba(x_train), labels=CLASSES),
        "train_accuracy": model.score(x_train, y_train),
    }
    content = RecordDict({"arrays": ArrayRecord(get_model_params(model)), "metrics": MetricRecord(metrics)})
    return Message(content=content, reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    """Evaluate the model on local data."""
    model = make_model(context.run_config["local-epochs"])
    set_model_params(model, msg.content["arrays"].to_numpy_ndarrays())
    _, _, x_test, y_test = load_data(context.node_config)
    metrics = {
        "num-examples": len(x_test),
        "test_logloss": log_loss(y_test, model.predict_proba(x_test), labels=CLASSES),
        "accuracy": model.score(x_test, y_test),
    }
    return Message(content=RecordDict({"metrics": MetricRecord(metrics)}), reply_to=msg)
