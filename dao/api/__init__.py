"""The network over HTTP: what the index knows, sign-in, drafts, and votes and proposals relayed without gas."""
