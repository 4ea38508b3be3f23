"""Parquet and Arrow from strangers: opened, and checked down to each value before anybody computes with it."""
