"""The answers to reads: models made of the index's records, with units in the names of their fields."""
