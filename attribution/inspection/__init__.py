"""What logs hold, before anything is attributed: formats, flows, evidence, what is missing, and what to run."""

from attribution.inspection.inspect_logs import Inspection, inspect_logs

__all__ = ["Inspection", "inspect_logs"]
