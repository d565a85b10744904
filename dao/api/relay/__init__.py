"""The relayer, which pays the gas of what members sign."""
