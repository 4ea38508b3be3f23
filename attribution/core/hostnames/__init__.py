"""Which hostname a connection was opened for, by what its client was told."""
