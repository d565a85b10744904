"""Sessions of signed-in members."""
