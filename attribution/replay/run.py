"""Replay: a history of flows and evidence to a lake of attributed flows.

Evidence may stand anywhere in the input, even in the flows themselves, so there are two passes: the first collects the
evidence and puts the flows aside, the second attributes them. Where the evidence fits into memory, the second pass
runs on all cores in any order. Where it does not, it is cut into slabs of time and the `Attributor` is driven through
them as a stream would drive it, so that memory is bounded by the busiest hours and not by the length of the history.
"""

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, local
from typing import Any

import pyarrow as pa

from attribution import __version__
from attribution.attributor import Attributor
from attribution.config import Settings
from attribution.core.columns import NEVER_AFTER
from attribution.core.flow_heartbeats import flow_heartbeats
from attribution.io.lake import REJECTS, StagedLake, write_table, writing
from attribution.io.partitions import HourlyWriter
from attribution.io.spool import Spool
from attribution.replay.evidence_store import EvidenceStore
from attribution.replay.ranges import RangeCollector
from attribution.replay.summary import Summary, Tally
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING
from attribution.sources import Ledger, RejectFile, read

#: Rows of heartbeats and name bindings that may be in memory at once.
EVIDENCE_LIMIT = 4_000_000
#: Bytes of flows put aside in memory before they go to disk.
FLOW_MEMORY = 256 << 20
#: Rows that are attributed at a time.
BATCH_ROWS = 262_144
"""


"""
