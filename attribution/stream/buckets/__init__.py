"""Evidence and held flows of a bucket of addresses, and the log that restores them; no PyFlink."""
