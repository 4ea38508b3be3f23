"""Logs to Kafka topics."""
