"""What reads answer, as the API's description has it: read from the index's records, names with their units."""
