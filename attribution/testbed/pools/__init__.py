"""A simulated world of names on pools of addresses."""
