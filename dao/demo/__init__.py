"""The demonstration: a whole network of real processes on one machine, trained, paid and audited before your eyes."""
