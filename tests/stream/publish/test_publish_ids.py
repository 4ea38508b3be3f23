"""What `publish` sends of logs without ids: flows that the job can tell from repeats of a later run."""

from attribution.config import Settings
from attribution.sources import Ledger
from attribution.sources.inputs import Inputs
from attribution.stream.publish import publish

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
