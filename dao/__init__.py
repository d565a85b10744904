"""What all participants of a Commonweight network share: the protocol, the chain, content and messages."""
