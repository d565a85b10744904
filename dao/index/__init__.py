"""The chain's events in a database: who decided, trained, earned and holds what, for the API to read."""
