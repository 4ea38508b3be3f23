"""Attributed flows held against the truth of a simulation, beside event-based baselines."""
