"""The jobs of several regions in one process: their operators on fake runtimes, and forwarders that a test may stop."""

from fake_runtime import Runtime, opened
from pyflink.common import Row
from pyflink.common.time import Instant
from pyflink.datastream import TimeDomain

from attribution.config import MINUTE
from attribution.schema import LABEL, arrow_schema
from attribution.stream.buckets.payload import WAKE
from attribution.stream.job.ask import Ask
from attribution.stream.job.attribute import Attribute
from attribution.stream.job.decode import Decode
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.outputs import DEAD_LETTERS, LOCAL_SIDE, RANGES, TIMES, TO_ASK, TO_BORDER, to_peer
from attribution.stream.job.receive import Receive
from attribution.stream.regions.border import Border
from attribution.stream.wire import codec


class RegionJob:
    """The job of one region with one bucket; what it writes is in `written`, by topic."""

    @staticmethod
    def to(peer):
        return to_peer(peer).tag_id

    def __init__(self, region, path, settings, *, labels=None):
        self.options = StreamOptions(buckets=1, region=region, regions=str(path))
        labels = labels if labels is not None else arrow_schema(LABEL).empty_table()
        self.border = Border(region, path, settings, buckets=1)
        self.runtimes = {name: Runtime() for name in ("decode", "local", "remote", "receive", "ask")}
        for runtime in self.runtimes.values():
            runtime.watermark = -(1 << 63)
        kinds = {kind: kind for kind in ("flow", "heartbeat", "assignment", "name_binding")}
        operators = {
            "decode": Decode(kinds, settings, self.options, border=self.border),
            "local": Attribute("local", settings, self.options, labels, border=self.border),
            "remote": Attribute("remote", settings, self.options, labels, border=self.border),
            "receive": Receive({peer: peer for peer in self.border.peers}, self.border, buckets=1),
            "ask": Ask(self.options, self.border.peers),
        }
        self.operators = {name: opened(operator, self.runtimes[name]) for name, operator in operators.items()}
        self.entered = {LOCAL_SIDE.tag_id: "local", TO_BORDER.tag_id: "ask", TO_ASK.tag_id: "ask"}
        self.written = {tag: [] for tag in ("flows", DEAD_LETTERS.tag_id, *map(self.to, self.border.peers))}

    def send(self, kind, batch, *, span="none"):
        for message in codec.encode(kind, batch, flow_heartbeats=span if kind == "flow" else None):
            self._message("decode", message.value, kind, message.timestamp_ms)

    def hear(self, peer, value, *, reported_ms=4_000_000_000_000):
        """What a region says."""
        self._message("receive", value, peer, reported_ms)

    def _message(self, name, value, topic, reported_ms):
        row = value, topic, 0, 0, Instant.of_epoch_milli(reported_ms)
        self._route(self.operators[name].process_element(row, None))

    def advance(self, watermark):
        for name in ("local", "remote"):
            runtime = self.runtimes[name]
            runtime.watermark = watermark // 1000
            # Longer than any pause between rounds.
            runtime.now += MINUTE // 1000
            self._route(runtime.fire(self.operators[name], runtime.now, TimeDomain.EVENT_TIME))

    def wait(self, milliseconds):
        """Let the clock of the operator that asks go on."""
        runtime = self.runtimes["ask"]
        runtime.now += milliseconds
        due = {timer for timer in runtime.round_timers if timer <= runtime.now}
        runtime.round_timers -= due
        for timer in sorted(due):
            self._route(runtime.fire(self.operators["ask"], timer, TimeDomain.PROCESSING_TIME))

    def crash(self):
        """Lose all memory but the state."""
        for name, runtime in self.runtimes.items():
            self.operators[name].open(runtime)

    def wake(self):
        """What the clock says after a start."""
        self._enter("ask", Row(0, WAKE))

    def _route(self, found):
        for one in found:
            if isinstance(one, Row):
                self._enter("remote", one)
                continue
            tag, content = one if isinstance(one, tuple) else ("flows", one)
            tag = getattr(tag, "tag_id", tag)
            if tag in self.entered:
                self._enter(self.entered[tag], content)
            elif tag in self.written:
                self.written[tag].append(content)
            else:
                assert tag in {TIMES.tag_id, RANGES.tag_id}

    def _enter(self, name, entry):
        _, content = entry
        self._route(self.operators[name].process_element(content, self.runtimes[name]))

    def counted(self, name):
        return self.runtimes[name].metrics.counted()


def forward(home, peer):
    """What a forwarder does: all that one job has said to the other, once."""
    topic = home.to(peer.border.region)
    said, home.written[topic] = home.written[topic], []
    for value in said:
        peer.hear(home.border.region, value)
    return said
