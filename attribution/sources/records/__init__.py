"""What every format shares: validation, rejects, skips, duplicates."""
