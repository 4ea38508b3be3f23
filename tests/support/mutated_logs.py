"""Mutated logs through every reader: each row is read, skipped or rejected, and what is read can be written."""

import io
import json
import random
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from log_rows import LOGS, Log
from mutation import broken_bytes, json_row, text_row
from outcome import Outcome
from wrappings import OF_LINES, OF_OBJECTS

from attribution.errors import AttributionError
from attribution.sources import Ledger, read

DATA = Path(__file__).parents[1] / "sources" / "data"
#: Neighbours' numbers that differ in two bits: a bit that flips makes none of another.
_NUMBERS = (2, 4, 7)
#: As many lines as a reader no longer reads one by one; bits that flip would make one of another.
_MANY = range(2, 202)
_FAULTS = ("row", "row", "gone", "joined", "blank")
#: Formats whose first line may say what the others hold; a log may end there. None if it is recognised.
_WITH_HEADERS = ("vpc", "zeek", "prefixes", None)


@dataclass(frozen=True)
class Sample:
    """Sound content of one format that is mutated as a whole.

    Attributes:
        format: its name.
        where: what it is.
        content: its bytes.
    """

    format: str
    where: str
    content: bytes

    def __str__(self):
        return f"{self.format}, {self.where}"


@dataclass(frozen=True)
class Wrapped:
    """Lines of a log of JSON in a wrapping.

    Attributes:
        log: the log.
        wrapping: its name.
    """

    log: Log
    wrapping: str

    @property
    def format(self):
        return self.log.format

    def __str__(self):
        return f"{self.log} in {self.wrapping}"

    def source(self, rows):
        return (OF_LINES | OF_OBJECTS)[self.wrapping](rows)


def _real(name, *paths):
    return tuple(Sample(name, path.rpartition("/")[2], (DATA / path).read_bytes()[:30_000]) for path in paths)


def _columnar():
    native = {
        "start": ["2026-01-01T00:00:00Z"] * 3, "local_address": ["10.0.0.1"] * 3, "remote_address": ["10.0.0.2"] * 3,
        "protocol": [6] * 3, "local_workload": ["w", "é", None], "hostname": ["a.example", None, ""],
    }  # fmt: skip
    vpc = {
        "interface_id": ["eni-1"] * 3, "srcaddr": ["10.0.0.1"] * 3, "dstaddr": ["10.0.0.2"] * 3, "srcport": [1, 2, 3],
        "dstport": [4] * 3, "protocol": [6] * 3, "start": [1_767_225_600] * 3, "end": [1_767_225_900] * 3,
        "action": ["ACCEPT"] * 3, "log_status": ["OK"] * 3, "vpc_id": ["vpc-1"] * 3,
    }  # fmt: skip
    native, vpc = pa.table(native), pa.table(vpc)
    coded = pa.table([_coded(column) for column in native.columns], names=native.column_names)
    views = pa.table([_views(column) for column in native.columns], names=native.column_names)
    for name, where, rows, options in (
        ("native", "Parquet", native, {}),
        ("native", "Parquet with dictionaries and checksums", coded, {"write_page_checksum": True}),
        ("native", "Parquet of version 2 with views", views, {"data_page_version": "2.0", "compression": "zstd"}),
        ("vpc_parquet", "Parquet", vpc, {}),
        ("vpc_parquet", "Parquet as it is", vpc, {"compression": "none", "use_dictionary": False}),
    ):
        content = io.BytesIO()
        pq.write_table(rows, content, **options)
        yield Sample(name, where, content.getvalue())
    for where, start in (("Arrow file", pa.ipc.new_file), ("Arrow stream", pa.ipc.new_stream)):
        for what, rows, compression in (
            ("", native, None),
            (" of dictionaries", coded, "lz4"),
            (" of views", views, "zstd"),
        ):
            content = io.BytesIO()
            with start(content, rows.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
                writer.write_table(rows)
            yield Sample("native", where + what, content.getvalue())


def _coded(column):
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def _views(column):
    return pa.chunked_array([pa.array(column.to_pylist(), pa.string_view())]) if column.type == pa.string() else column


#: Those whose library may crash.
COLUMNAR = tuple(_columnar())
#: Real logs, of which the last line may be cut off.
REAL = (
    *_real("zeek", *(f"zeek/{path.name}" for path in sorted(DATA.glob("zeek/*.log")))),
    *_real("vpc", *(f"aws/{path.name}" for path in sorted(DATA.glob("aws/*.log")))),
    *_real("cloudtrail", *(f"aws/cloudtrail/{path.name}" for path in sorted(DATA.glob("aws/cloudtrail/*6_*.json")))),
    *_real("cloudtrail", "aws/cloudtrail/20230710T1200Z_x9kHmzMa7cx6l9wM.json"),
    *_real("aws_ip_ranges", "aws/ip-ranges.json"),
    *_real("goflow2", "goflow2/version_1.jsonl", "goflow2/version_2.jsonl"),
    *_real("hubble", "hubble/bare.jsonl", "hubble/flows.jsonl"),
    *_real("kubernetes", "kubernetes_audit/pod_events.jsonl"),
)
#: Each wrapping around one log, another one each time.
WRAPPED = tuple(
    Wrapped(log, wrapping)
    for log, wrapping in zip(
        cycle(log for log in LOGS if log.lines and not log.separator), (*OF_LINES, *OF_OBJECTS), strict=False
    )
)
ALL = (*LOGS, *WRAPPED, *REAL, *COLUMNAR)


def try_one(source, seed):
    """Mutate a log or a sample by a seed, and read it.

    Raises:
        AssertionError: a row is missing, or another than the mutated one is.
        Exception: whatever the reader raises that is no `AttributionError`.
    """
    rng = random.Random(f"{source} {seed}")
    if isinstance(source, Sample):
        # Columns that are cut off after their names are columns without rows.
        _is_sound(broken_bytes(rng, source.content), rng.choice([source.format, None]), may_be_empty=source in COLUMNAR)
    elif isinstance(source, Wrapped):
        _try_wrapped(source, rng)
    elif source.lines and rng.randrange(4):
        _try_lines(source, rng)
    else:
        content = source.source(_texts(source, rng)).encode()
        _is_sound(broken_bytes(rng, content), rng.choice([source.format, None]))


def _texts(log, rng, numbers=_NUMBERS):
    return [log.neighbour(rng.choice(log.rows), number) for number in numbers]


def _try_lines(log, rng):
    """One line of a few or of many is broken; the others are read as they are without it."""
    numbers, faults = rng.choice([(_NUMBERS, ("bytes", "bytes", *_FAULTS))] * 9 + [(_MANY, _FAULTS)])
    lines, at = _texts(log, rng, numbers), rng.randrange(len(numbers))
    broken, beside = _broken_line(log, rng, lines, at, rng.choice(faults))
    before, after = log.source(["\0cut here"]).encode().split(b"\0cut here")
    content = before + broken + after
    outcome = Outcome.of_content(content, log.format)
    if log.refuses or outcome.counts["rejected", "row", "unreadable"]:
        return
    lost = of_lines(str(log), *beside).records - outcome.records
    assert not lost, f"lost {lost} of {content[:2000]!r}"
    rows = [line for line in broken.split(b"\n") if _is_row(log, line)]
    counted = outcome.rows(log.lead)
    assert counted == len(rows) if log.single else counted >= len(rows), f"{outcome.counts}, {content[:2000]!r}"


def _try_wrapped(wrapped, rng):
    """The bytes of a wrapping are broken, or a record in it; then the other records are read."""
    log = wrapped.log
    lines, at = _texts(log, rng), rng.randrange(len(_NUMBERS))
    if rng.randrange(2):
        _is_sound(broken_bytes(rng, wrapped.source(lines)), rng.choice([log.format, None]))
        return
    beside = [line for place, line in enumerate(lines) if place != at]
    lines[at] = json_row(rng, json.loads(lines[at]))
    if wrapped.wrapping in OF_OBJECTS and not _is_object(lines[at]):
        return
    content = wrapped.source(lines)
    outcome = Outcome.of_content(content, log.format)
    lost = of_lines(str(log), *beside).records - outcome.records
    assert not lost, f"lost {lost} of {content[:2000]!r}"


def _is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _broken_line(log, rng, lines, at, fault):
    """The lines of which one is broken, and the lines that are not."""
    beside = [line for place, line in enumerate(lines) if place != at]
    encoded = [line.encode() for line in lines]
    if fault == "bytes":
        encoded[at] = broken_bytes(rng, encoded[at])
    elif fault == "row":
        row = lines[at] if log.separator else json.loads(lines[at])
        broken = text_row(rng, row, log.separator) if log.separator else json_row(rng, row)
        encoded[at] = broken.encode("utf-8", "replace")
    elif fault == "gone":
        del encoded[at]
    elif fault == "joined":
        at = min(at, len(lines) - 2)
        beside = [line for place, line in enumerate(lines) if place not in (at, at + 1)]
        encoded[at : at + 2] = [encoded[at] + encoded[at + 1]]
    else:
        encoded[at] = rng.choice([b"", b"   ", b"\t", b"\r"])
    return b"\n".join(encoded), beside


def _is_row(log, line):
    text = line.decode("utf-8", "replace").strip()
    return bool(text) and not text.startswith("#") and not log.is_none(text)


@lru_cache(1000)
def of_lines(name, *lines):
    """The outcome of sound lines of a log by its name."""
    (log,) = (log for log in LOGS if str(log) == name)
    return Outcome.of(log, list(lines))


def _is_sound(content, name, *, may_be_empty=False):
    """Read content of a format, or of one that is recognised."""
    ledger = Ledger(max_rejected_share=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source"
        path.write_bytes(content)
        try:
            for one in read([path], ledger=ledger, format=name):
                one.batch.validate(full=True)
                one.batch.to_pylist()
        except AttributionError:
            assert ledger.rejected.total()
    lines = [line for line in content.split(b"\n") if line.strip() and not line.startswith(b"#")]
    nothing = may_be_empty or not lines or (len(lines) == 1 and name in _WITH_HEADERS)
    assert nothing or ledger.rows.total() + ledger.skipped.total() + ledger.rejected.total(), content
