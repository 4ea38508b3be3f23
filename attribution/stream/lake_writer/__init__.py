"""The job's output topics to a lake, each row once."""
