"""Server-sent events, which say to listeners what changed."""
