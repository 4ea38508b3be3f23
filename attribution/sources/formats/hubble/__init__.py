"""Cilium Hubble flow events."""
