"""A development network on this machine: Anvil as its chain, Kubo as its IPFS node."""
