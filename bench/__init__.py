"""What a round costs beside training: whole networks of real processes, run and measured on one machine."""
