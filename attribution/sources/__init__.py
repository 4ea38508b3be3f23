"""Logs of all formats to canonical record batches."""

from attribution.sources.input.opening import open_inputs
from attribution.sources.input.paths import total_bytes
from attribution.sources.reading import Batch, NoLogError, Once, read, read_labels
from attribution.sources.records.model import Ledger
from attribution.sources.records.rejects import REASONS, Reject, RejectsFile
from attribution.sources.registry import names as format_names

__all__ = [
    "REASONS",
    "Batch",
    "Ledger",
    "NoLogError",
    "Once",
    "Reject",
    "RejectsFile",
    "format_names",
    "open_inputs",
    "read",
    "read_labels",
    "total_bytes",
]
