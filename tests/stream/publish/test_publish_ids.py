"""What `publish` sends of logs: flows that the job can tell from repeats of a later run, with all names they have."""

import json

from attribution.config import Settings
from attribution.sources import Ledger
from attribution.sources.inputs import Inputs
from attribution.stream.publish import publish
from attribution.stream.publish.schedule import Schedule

LOG = """interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status flow-direction
eni-0a 10.0.1.10 10.0.2.20 40001 5432 6 10 1000 1772445600 1772445650 ACCEPT OK egress
eni-0a 10.0.1.10 10.0.2.20 40001 5432 6 10 1000 1772445600 1772445650 ACCEPT OK egress
eni-0b 10.0.1.10 10.0.2.20 40001 5432 6 10 1000 1772445600 1772445650 ACCEPT OK ingress
"""


def test_a_row_of_an_interface_is_sent_once_and_has_the_same_id_in_every_run(tmp_path):
    (tmp_path / "log").write_text(LOG)

    def sent():
        ledger = Ledger()
        parts = publish._read(Inputs(flows=[tmp_path / "log"]), Settings(), ledger, flows_are_heartbeats=True)
        return [part.rows.column("record_id").to_pylist() for part in parts], ledger.skipped

    ((ids,), skipped), again = sent(), sent()
    assert len(set(ids)) == 2
    assert None not in ids
    assert skipped == {("vpc", "repeated"): 1}
    assert again == ([ids], skipped)


CONN = {
    "_path": "conn", "ts": 1_772_445_600.1, "uid": "C1", "id.orig_h": "10.0.1.10", "id.orig_p": 40001,
    "id.resp_h": "203.0.113.9", "id.resp_p": 443, "proto": "tcp", "duration": 0.5, "local_orig": True,
    "local_resp": False,
}  # fmt: skip
SSL = {"_path": "ssl", "ts": 1_772_445_600.2, "uid": "C1", "server_name": "api.example.org"}


def test_a_flow_that_was_read_before_its_name_is_sent_with_it(tmp_path):
    (tmp_path / "log").write_text("\n".join(map(json.dumps, (CONN, SSL))))
    ledger, schedule = Ledger(), Schedule(tmp_path / "rows", period_us=1_000_000)
    for part in publish._read(Inputs(flows=[tmp_path / "log"]), Settings(), ledger, flows_are_heartbeats=True):
        schedule.add(part.kind, part.rows, part.flow_heartbeats, told_later=part.told_later)
    sent = [publish._completed(part, ledger) for period in schedule.periods() for part in period.parts]
    assert [part.rows.column("hostname").to_pylist() for part in sent] == [["api.example.org"]]
