"""CloudTrail network events."""
