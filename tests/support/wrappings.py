"""How those who ship logs wrap them: functions from records, each a line of text, to the content of a file."""

import csv
import gzip
import io
import json

TIME = "2026-03-02T10:00:00.123456789Z"
STREAM = "eni-0a1b2c3d4e5f6a7b8-all"


def _lines(make):
    return lambda records: "".join(f"{make(record)}\n" for record in records).encode()


def _json(make):
    return _lines(lambda record: json.dumps(make(record)))


def _events(records):
    return [{"id": str(n), "timestamp": 1772445600000 + n, "message": one} for n, one in enumerate(records)]


def subscription(records):
    """What CloudWatch sends to a destination: two batches and what it says to itself, nothing between them."""
    about = {"owner": "123456789012", "logGroup": "/a", "logStream": STREAM, "subscriptionFilters": ["to}{Firehose"]}
    control = "CWL CONTROL MESSAGE: Checking health of destination Firehose."
    batches = (
        {"messageType": "CONTROL_MESSAGE", **about, "logEvents": _events([control])},
        {"messageType": "DATA_MESSAGE", **about, "logEvents": _events(records[:1])},
        {"messageType": "DATA_MESSAGE", **about, "logEvents": _events(records[1:])},
    )
    return "".join(map(json.dumps, batches)).encode()


def double_gzip(records):
    """Firehose compresses what CloudWatch has compressed."""
    return gzip.compress(gzip.compress(subscription(records)[:50]) + gzip.compress(subscription(records)[50:]))


def filter_log_events(records):
    """`aws logs filter-log-events`, whose second list holds no events."""
    events = [{"logStreamName": STREAM, **event, "ingestionTime": 1, "eventId": "x"} for event in _events(records)]
    streams = [{"logStreamName": STREAM, "searchedCompletely": True}]
    return json.dumps({"events": events, "searchedLogStreams": streams, "nextToken": "{["}, indent=4).encode()


def aws_text(records):
    """`aws logs filter-log-events --output text`."""
    lines = [f"EVENTS\t3195310660696\t1772445600001\t{STREAM}\t{one}\t1772445600000" for one in records]
    return "\n".join([*lines, f"SEARCHEDLOGSTREAMS\t{STREAM}\tTrue", ""]).encode()


def aws_text_of_a_stream(records):
    """`aws logs get-log-events --output text`, which begins with the tokens of other pages."""
    lines = [f"EVENTS\t1796086113533\t{one}\t1772445600000" for one in records]
    return "\n".join(["b/0001\tf/0002", *lines, ""]).encode()


def insights_rows(records):
    """`aws logs get-query-results`."""
    rows = [[{"field": "@timestamp", "value": TIME}, {"field": "@message", "value": one}] for one in records]
    return json.dumps({"results": rows, "statistics": {"recordsMatched": 2.0}, "status": "Complete"}).encode()


def table(*names):
    """CSV with these columns, the record in the last."""

    def write(records):
        target = io.StringIO()
        csv.writer(target, quoting=csv.QUOTE_MINIMAL).writerows(
            [names, *([TIME] * (len(names) - 1) + [r] for r in records)]
        )
        return target.getvalue().encode()

    return write


def elastic_search(records):
    """The answer of Elasticsearch to a search."""
    hits = [{"_index": "x", "_id": str(n), "_score": 1.0, "_source": {"message": one}} for n, one in enumerate(records)]
    found = {"took": 1, "hits": {"total": {"value": 2, "relation": "eq"}, "max_score": 1.0, "hits": hits}}
    return json.dumps(found).encode()


def loki(records):
    """The answer of Loki to a query, each record in a stream of its own."""
    streams = [{"stream": {"app": "x"}, "values": [["1772445600000000000", one]]} for one in records]
    found = {"status": "success", "data": {"resultType": "streams", "result": streams, "stats": {"summary": {}}}}
    return json.dumps(found).encode()


def loki_push(records):
    """What is pushed to Loki, with metadata."""
    values = [["1772445600000000000", one, {"trace": "x"}] for one in records]
    return json.dumps({"streams": [{"stream": {"app": "x"}, "values": values}]}).encode()


def docker(records):
    """Docker's log driver, which cuts long lines."""
    parts = [part for one in records for part in (one[: len(one) // 2], one[len(one) // 2 :] + "\n")]
    return b"".join(json.dumps({"log": one, "stream": "stdout", "time": TIME}).encode() + b"\n" for one in parts)


def cri(records):
    """A container runtime, which cuts long lines."""
    lines = [(tag, part) for one in records for tag, part in (("P", one[: len(one) // 2]), ("F", one[len(one) // 2 :]))]
    return "".join(f"{TIME} stdout {tag} {part}\n" for tag, part in lines).encode()


def nested(records):
    """CRI lines in Fluent Bit in CloudWatch."""
    return subscription([json.dumps({"date": 1.5, "log": f"{TIME} stdout F {one}"}) for one in records])


#: Around records of any kind, by name.
OF_LINES = {
    "CloudWatch subscription": subscription,
    "CloudWatch subscription, compressed twice": double_gzip,
    "aws logs filter-log-events": filter_log_events,
    "aws logs, text": aws_text,
    "aws logs get-log-events, text": aws_text_of_a_stream,
    "aws logs, times and messages": _lines(lambda one: f"1772445600000\t{one}"),
    "aws logs, times and messages, JSON": lambda records: json.dumps(
        [[1772445600000, one] for one in records]
    ).encode(),
    "aws logs, lists of messages, JSON": lambda records: json.dumps([[one] for one in records], indent=4).encode(),
    "aws logs tail": _lines(lambda one: f"2026-03-02T10:00:00.123000+00:00 {STREAM} {one}"),
    "aws logs tail, short": _lines(lambda one: f"2026-03-02T10:00:00 {one}"),
    "aws logs, messages only": lambda records: "\t".join(records).encode() + b"\n",
    "aws logs, messages only, JSON": lambda records: json.dumps(records, indent=4).encode(),
    "CloudWatch export": _lines(lambda one: f"2026-03-02T10:00:00.123Z {one}"),
    "Insights, CSV": table("@timestamp", "@message"),
    "Insights, JSON": insights_rows,
    "Kibana, CSV": table("@timestamp", "message"),
    "Grafana, CSV": table("Time", "Line"),
    "Firehose": _json(lambda one: {"message": one}),
    "Fluent Bit": _json(lambda one: {"date": 1772445610.1, "log": one}),
    "Fluent Bit, arrays": lambda records: "".join(
        f"{json.dumps([{'date': 1.5, 'log': one}])}\n" for one in records
    ).encode(),
    "Fluentd": _lines(lambda one: f"2026-03-02T10:00:00+00:00\tkube.x\t{json.dumps({'log': one})}"),
    "Vector": _json(lambda one: {"file": "/var/log/x", "host": "h", "message": one, "source_type": "file"}),
    "Filebeat": _json(lambda one: {"@timestamp": TIME, "event": {"original": one}, "ecs": {"version": "8"}}),
    "Elasticsearch, search": elastic_search,
    "Elasticsearch, dump": _json(lambda one: {"_index": "x", "_id": "1", "_source": {"message": one}}),
    "Google Cloud Logging": _json(lambda one: {"insertId": "x", "timestamp": TIME, "textPayload": one}),
    "Splunk": _json(lambda one: {"preview": False, "result": {"_raw": one}}),
    "Kafka, kcat -J": _json(lambda one: {"topic": "t", "partition": 0, "offset": 1, "key": None, "payload": one}),
    "journald": _json(lambda one: {"__REALTIME_TIMESTAMP": "1", "MESSAGE": one}),
    "Loki": loki,
    "Loki, push": loki_push,
    "logcli, jsonl": _json(lambda one: {"labels": {"app": "x"}, "line": one, "timestamp": TIME}),
    "logcli": _lines(lambda one: f'2026-03-02T10:00:00Z {{app="x", pod="a\\"b"}} {one}'),
    "Docker": docker,
    "CRI": cri,
    "kubectl logs --prefix": _lines(lambda one: f"[pod/x-0/app] {one}"),
    "syslog": _lines(lambda one: f'<134>1 {TIME} host app 7 ID [x@1 a="b"] {one}'),
    "syslog, old": _lines(lambda one: f"<134>Mar  2 10:00:00 host app[7]: {one}"),
    "CRI in Fluent Bit in CloudWatch": nested,
}
#: Around JSON objects only, by name.
OF_OBJECTS = {
    "array": lambda records: f"[{', '.join(records)}]".encode(),
    "jq": lambda records: "\n".join(json.dumps(json.loads(one), indent=2) for one in records).encode(),
    "array, jq": lambda records: json.dumps([json.loads(one) for one in records], indent=2).encode(),
    "nothing between": lambda records: "".join(records).encode(),
    "under a kind": _json(lambda one: {"conn": json.loads(one)}),
    "Elasticsearch": _json(lambda one: {"_index": "x", "_source": json.loads(one)}),
    "Google Cloud Logging, JSON": _json(lambda one: {"insertId": "x", "jsonPayload": json.loads(one)}),
    "Vector, JSON": _json(lambda one: {"host": "h", "message": json.loads(one)}),
    "aws logs tail, JSON": _lines(lambda one: f"{TIME} {STREAM} {json.dumps(json.loads(one), indent=4)}"),
}
