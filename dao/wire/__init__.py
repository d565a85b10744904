"""The wire between a Supernode and a Superlink: signed calls and content streams over gRPC."""
