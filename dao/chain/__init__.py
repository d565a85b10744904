"""The chain as Python sees it: signing, reads that name their block, events without gaps, transactions that arrive."""
