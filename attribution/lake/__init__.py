"""Where results are kept: the Parquet lake, and the spool between two passes."""
