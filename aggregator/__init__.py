"""The Superlink: collects the updates of a round, aggregates, scores and publishes them."""
