"""The Supernode: the daemon of one contributor, and the process that trains for it."""
