"""JSON lines, documents and objects, cut and read in bulk."""
