"""Services of the system for every process: settings, locks, files, pauses, signals."""
