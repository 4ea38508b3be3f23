"""Kubernetes pod lists, watches and audit events."""
