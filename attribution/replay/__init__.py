"""The embedded runner: files in, Parquet out, in one process without broker or JVM."""

from attribution.replay.collect import Report
from attribution.replay.limits import Limits
from attribution.replay.run import replay
from attribution.replay.summary import Summary
from attribution.sources.inputs import Inputs

__all__ = ["Inputs", "Limits", "Report", "Summary", "replay"]
