"""The history of one address, row by row, for `explain` and `whois`."""
