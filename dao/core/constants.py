"""Every constant of the protocol."""

ROWS_DEPTH = 20  # of the trees with a row for each node: room for 2^20 nodes
