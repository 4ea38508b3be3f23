"""Files, folders, globs and standard input, opened and decompressed."""
