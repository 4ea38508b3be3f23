"""Load, stray and stale traffic of pools of addresses."""
