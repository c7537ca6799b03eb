"""Stand-ins of the outside world, for the lab's host `world`. Each file runs alone, with Python's standard library."""
