"""The embedded runner: files in, Parquet out, in one process without broker or JVM."""

from attribution.replay.run import Inputs, replay
from attribution.replay.summary import Summary

__all__ = ["Inputs", "Summary", "replay"]
