"""The rules of attribution, pure: columns in, columns out; no files, no clock, no engine."""
