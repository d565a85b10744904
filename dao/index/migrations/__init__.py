"""How the tables came to be: each step once, in order."""
