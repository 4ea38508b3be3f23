"""The embedded runner: files in, Parquet out, in one process without broker or JVM."""

from attribution.replay.dry_run import DryRun, dry_run
from attribution.replay.run import replay
from attribution.replay.span import Span
from attribution.replay.summary import Summary
from attribution.replay.task import Limits, Report
from attribution.sources.inputs import Inputs

__all__ = ["DryRun", "Inputs", "Limits", "Report", "Span", "Summary", "dry_run", "replay"]
