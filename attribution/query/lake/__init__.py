"""The session that asks a lake through DuckDB, its time window, filters and measures."""
