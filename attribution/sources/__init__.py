"""Logs of all formats to canonical record batches."""

from attribution.sources.model import Ledger
from attribution.sources.opening import open_inputs, total_bytes
from attribution.sources.reading import Batch, read, read_labels
from attribution.sources.registry import names as format_names
from attribution.sources.rejects import REASONS, Reject, RejectsFile

__all__ = [
    "REASONS",
    "Batch",
    "Ledger",
    "Reject",
    "RejectsFile",
    "format_names",
    "open_inputs",
    "read",
    "read_labels",
    "total_bytes",
]
