"""Server-sent events: what changed, to whoever listens."""
