"""The protocol as pure functions over plain data: no I/O, no clock, no randomness, no floats from torch."""
