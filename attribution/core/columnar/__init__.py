"""Arrays, dictionaries and interval look-up: columnar tools that know nothing of flows."""
