"""Tables and JSON that nobody foresaw, read by a mapping file: which column is which field of a record."""
