"""Logs in the wrappings of those who ship them: told by what stands in them, and taken off before a format reads."""
