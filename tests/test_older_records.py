"""What earlier versions wrote is still read: files, values of topics, state and lakes without the newer columns."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from oracle import Evidence as OracleEvidence
from oracle import Flow, Heartbeat, NameBinding, attribute
from oracle import Settings as OracleSettings
from records import answers, batch
from strategies import BASE
from tiny_lake import write_tiny_lake

from attribution.config import SECOND, Settings
from attribution.core import snapshot
from attribution.core.attributor import Attributor
from attribution.core.ownership.range_collector import RangeCollector
from attribution.core.resolve import captured
from attribution.query.explain.flow import FIND_FLOWS, explain_flow
from attribution.query.explain.flow_selector import parse_flow
from attribution.query.explain.whois import whois
from attribution.query.lake.session import LakeSession
from attribution.schema import (
    ATTRIBUTED_FLOW,
    FLOW,
    HEARTBEAT,
    LABEL,
    NAME_BINDING,
    OWNERSHIP_RANGE,
    arrow_schema,
    completed,
)
from attribution.sources import Ledger, read
from attribution.stream.buckets import payload
from attribution.stream.buckets.bucket import Bucket
from attribution.stream.wire import codec
from attribution.stream.wire.job_output import read_written

NEWER = {"wire_address", "wire_port", "last_port", "data_centre", "client_prefix", "local_hostname", "hostname_reason"}
NEWER |= {"hostname_count", "hostname_candidates", "network", "local_network", "remote_network", "relay_address"}
NEWER |= {"record_id", "flow_count"}
NEWER |= {f"{side}_{name}" for side in ("local", "remote") for name in ("pool", "policy", "policy_state")}
SEEN = [Heartbeat("10.0.0.9", 443, "w", "web", moment, moment) for moment in (BASE, BASE + 60 * SECOND)]
ASKED = Flow(BASE + 30 * SECOND, BASE + 31 * SECOND, "10.0.0.1", 4000, "10.0.0.9", 443, local_workload="c")
TOLD = [NameBinding("10.0.0.1", "10.0.0.9", "cart.example", BASE + 29 * SECOND, 60.0)]
EXPECTED = [attribute(OracleEvidence(tuple(SEEN)), ASKED, OracleSettings())]


def older(rows):
    """The rows without the columns that came later."""
    return rows.select([name for name in rows.schema.names if name not in NEWER])


def test_a_field_that_may_not_be_null_must_be_there():
    assert completed(FLOW, older(batch(FLOW, [ASKED]))).schema.names == arrow_schema(FLOW).names
    with pytest.raises(KeyError):
        completed(FLOW, batch(FLOW, [ASKED]).select(["start", "end"]))


@pytest.mark.parametrize(("kind", "records"), [(FLOW, [ASKED]), (HEARTBEAT, SEEN), (NAME_BINDING, TOLD)])
def test_native_files_and_values_are_read(tmp_path, kind, records):
    rows = older(batch(kind, records))
    path = tmp_path / "old.parquet"
    pq.write_table(pa.Table.from_batches([rows]), path)
    (found,) = read([path], ledger=Ledger(), kinds=(kind,))
    assert found.batch.cast(arrow_schema(kind)).equals(batch(kind, records))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    decoded = codec.decode(kind, sink.getvalue().to_pybytes(), reported_us=BASE + 90 * SECOND)
    assert (decoded.batch.num_rows, decoded.rejected_rows) == (len(records), 0)


def test_state_is_read(monkeypatch):
    before = Attributor(Settings())
    before.observe(HEARTBEAT, batch(HEARTBEAT, SEEN))
    before.hold(older(batch(FLOW, [ASKED])))
    with monkeypatch.context() as then:
        then.setattr(snapshot, "VERSION", 2)
        parts = [as_older(table) for table in tables(before.snapshot())]
    attributor = Attributor.restore(b"".join(parts), Settings())
    (due,) = attributor.advance(1 << 60).attributed
    assert answers(due) == EXPECTED


def test_names_in_state_and_flows_that_wait_for_their_remote_side_are_read():
    halves = captured(batch(FLOW, [ASKED]))
    log = [
        payload.pack_rows(kind, older(rows))
        for kind, rows in ((NAME_BINDING, batch(NAME_BINDING, TOLD)), (FLOW, halves))
    ]
    bucket = Bucket(Settings(), sides="remote", labels=arrow_schema(LABEL).empty_table(), log=log)
    ((found,), _) = bucket.advance(1 << 60)
    assert found.column("remote_hostname").to_pylist() == ["cart.example"]
    assert set(found.schema.names) == set(arrow_schema(ATTRIBUTED_FLOW).names)


def tables(snapshot):
    source = pa.BufferReader(snapshot)
    while source.tell() < len(snapshot):
        yield pa.ipc.open_stream(source).read_all()


def as_older(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, older(table).schema) as writer:
        writer.write_table(older(table))
    return sink.getvalue().to_pybytes()


def test_entries_of_the_jobs_log_and_open_ranges_are_read():
    names = older(batch(NAME_BINDING, TOLD))
    assert payload.unpack_rows(payload.pack_rows(NAME_BINDING, names))[1].equals(batch(NAME_BINDING, TOLD))
    kind, rows = payload.unpack_rows(payload.pack_rows(FLOW, older(batch(FLOW, [ASKED]))))
    assert (kind, rows.schema.names) == (FLOW, arrow_schema(FLOW).names)
    ranges = Attributor(Settings())
    ranges.observe(HEARTBEAT, batch(HEARTBEAT, SEEN))
    open_ranges = older(pa.Table.from_batches([ranges.ownership_ranges()]))
    collector = RangeCollector.of_state(Settings(), (open_ranges, 0))
    found = collector.collect(none(), known_to=1 << 60)
    assert found.select(["workload", "port", "last_port"]).to_pylist() == [
        {"workload": "w", "port": 443, "last_port": None}
    ]


def none():
    return pa.RecordBatch.from_pylist([], schema=arrow_schema(OWNERSHIP_RANGE))


def test_values_that_the_job_wrote_are_read():
    attributor = Attributor(Settings())
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, SEEN))
    rows = older(attributor.attribute(batch(FLOW, [ASKED])))
    sink = pa.BufferOutputStream()
    plain = pa.RecordBatch.from_arrays(
        [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in rows.columns], names=rows.schema.names
    )
    with pa.ipc.new_stream(sink, plain.schema) as writer:
        writer.write_batch(plain)
    found = read_written(ATTRIBUTED_FLOW, sink.getvalue().to_pybytes())
    assert found.schema.names == arrow_schema(ATTRIBUTED_FLOW).names
    assert [(one.local, one.remote) for one in answers(found)] == [(one.local, one.remote) for one in EXPECTED]


def strip(lake, *, some):
    """Make a lake one of an earlier version; `some`: only every other file, as where a stream's writer was replaced."""
    files = sorted(
        path for name in ("attributed_flows", "ownership_ranges") for path in (lake / name).rglob("*.parquet")
    )
    for path in files[:: 2 if some else 1]:
        table = pq.ParquetFile(path).read()
        pq.write_table(older(table), path)
    manifest = json.loads((lake / "lake.json").read_text())
    for name in ("ephemeral_ports", "translated_prefixes", "pool_prefixes", "named_prefixes", "shared_resolvers"):
        manifest["settings"].pop(name)
    (lake / "lake.json").write_text(json.dumps(manifest | ({"stream": {}} if some else {})))


@pytest.mark.parametrize("some", [False, True])
def test_questions_about_a_lake_are_answered(tmp_path, some):
    lake = write_tiny_lake(tmp_path / "lake")
    with LakeSession(lake) as session:
        rows = session.ask(FIND_FLOWS, **EVERYTHING)
    strip(lake, some=some)
    with LakeSession(lake) as session:
        assert session.settings.ephemeral_ports == ""
        again = session.ask(FIND_FLOWS, **EVERYTHING)
        assert [by_name(row) for row in again] == [by_name(row) for row in rows]
        address = rows[0]["remote_address"]
        assert whois(session, address).to_dict()["ranges"] is not None
        row = rows[0]
        key = f"{row['local_address']}:{row['local_port']},{row['remote_address']}:{row['remote_port']}"
        assert explain_flow(session, parse_flow(key, last=None)).flow["wire_address"] is None


def by_name(row):
    return sorted(row.items())


EVERYTHING = dict.fromkeys((
    "local_address", "local_port", "remote_address", "remote_port", "network",
    "from_hour", "to_hour", "from_time", "to_time",
)) | {"limit": 1000}  # fmt: skip
