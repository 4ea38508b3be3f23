"""Messages on topics: how they are written and read."""
