"""Heartbeats to ownership ranges, and the look-up of a flow in them."""
