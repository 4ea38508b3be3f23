"""One package or module a log format."""
