"""Jobs that survive: a queue on disk, and child processes of the same entry script."""
