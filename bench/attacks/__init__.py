"""What attacks on pay and model bring, in plays of ten Supernodes settled by the protocol's own arithmetic."""
