"""What every process of the project needs of its system: settings, locks, limits, ends."""
