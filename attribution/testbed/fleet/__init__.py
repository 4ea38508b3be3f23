"""A simulated fleet with its traffic, the evidence about it, and the truth."""
