"""The dependency graph, differences between two windows, and the top talkers."""
