"""Flows and evidence in the schemas of this project, as JSON lines, Parquet or Arrow."""
