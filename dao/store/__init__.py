"""Content by its CID: computed as Kubo does, verified on every read, from a disk, an IPFS node or a gateway."""
