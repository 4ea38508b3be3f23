"""Tables as text: CSV, TSV and their like, cut into whole rows and parsed as columns."""
