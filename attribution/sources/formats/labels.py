"""Prefix labels: the published address ranges of AWS, and plain files of prefixes and names.

**`ip-ranges.json`** lists a prefix once for each service that it belongs to. `AMAZON` stands at nearly all prefixes,
and `EC2` at the addresses of many services that are built on it. So a prefix keeps the names of special services if it
has any, else `EC2`, else `AMAZON`. (In the file of August 2026, 501 prefixes are AMAZON, EC2 and S3: those are S3's.) A
prefix of two special services keeps both names, and an address inside it then gets none. This is so for 15 prefixes of
CloudFront, which are also listed as those it calls origins from. Names are written `aws:S3`.

**A prefix file** has one prefix and its name a line: `10.8.0.0/16 office Berlin`. Or it is CSV with a header, which
names the columns `prefix`, `name` (or `service`) and, if wanted, `kind`, `region` and `network`. `#` starts a comment.

Source: "AWS IP address ranges" in the Amazon VPC User Guide.
"""

import csv
import ipaddress
import json
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from attribution.errors import SourceError
from attribution.schema import LABEL
from attribution.sources.json.documents import documents
from attribution.sources.records.json_values import text_at, typed_column
from attribution.sources.records.model import Account, Block, Format, Input, Reject
from attribution.sources.records.text_lines import is_text

_BLOCK_BYTES = 1 << 20
_SHOWN = 200
_FIELDS = ("prefix", "service", "kind", "region", "network")
#: The lists of `ip-ranges.json`.
_LISTS = ("prefixes", "ipv6_prefixes")
#: Services that others are part of, the most general first.
_GENERAL = ("AMAZON", "EC2")
#: A label: prefix, service, kind, region, network.
_Label = tuple[str | None, str | None, str | None, str | None, str | None]


#: Why a sound row carries no record.
_SKIPS = {
    "general_service": "`AMAZON` or `EC2` for a prefix that also belongs to a special service.",
}


class AwsRanges(Format):
    """AWS's published `ip-ranges.json`."""

    name = "aws_ip_ranges"
    how_to = "labels"
    shipped = False
    skips = _SKIPS

    def matches(self, head: bytes) -> bool:
        """Whether this is JSON with AWS's lists of prefixes."""
        start = head.lstrip()
        return start.startswith(b"{") and b'"prefixes"' in start and b'"ip_prefix"' in start and b'"service"' in start

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """One label for each prefix and special service; the line is the position in the file's lists.

        Raises:
            SourceError: the file is cut off or no JSON.
        """
        try:
            document = next(documents(data, _LISTS), None)
        except SourceError as error:
            raise SourceError(
                f"cannot read {data.name} as AWS's ip-ranges.json: {error}; download the file again"
            ) from None
        lists = [document.get(name) for name in _LISTS] if isinstance(document, dict) else []
        if not any(isinstance(part, list) and part for part in lists):
            raise SourceError(
                f"cannot read {data.name} as AWS's ip-ranges.json: nothing stands in {' or '.join(_LISTS)}; "
                "download the file again"
            )
        labels: list[tuple[str, str, str | None]] = []
        lines: list[int] = []
        for line, entry in enumerate((entry for part in lists if isinstance(part, list) for entry in part), 1):
            fields = entry if isinstance(entry, dict) else {}
            prefix, service = fields.get("ip_prefix", fields.get("ipv6_prefix")), fields.get("service")
            if not isinstance(prefix, str) or not isinstance(service, str):
                found = f"no prefix or no service: {json.dumps(entry)[:_SHOWN]}"
                account.reject(Reject(data.name, line, "malformed", found, LABEL))
            else:
                labels.append((prefix, service, text_at(entry, "region")))
                lines.append(line)
        services: dict[str, set[str]] = {}
        for prefix, service, _ in labels:
            services.setdefault(prefix, set()).add(service)
        kept = [row for row, (prefix, service, _) in enumerate(labels) if service in _special(services[prefix])]
        account.skip("general_service", len(labels) - len(kept))
        rows = [(labels[row][0], f"aws:{labels[row][1]}", "aws", labels[row][2], None) for row in kept]
        yield from _blocks(rows, [lines[row] for row in kept], data.name)


class PrefixFile(Format):
    """Plain files of prefixes and names: lines of text, or CSV with a header."""

    name = "prefixes"
    how_to = "labels"
    shipped = False

    def matches(self, head: bytes) -> bool:
        """Whether the first line that is no comment is a prefix and a name, or a CSV header with both."""
        line = next(filter(None, map(_uncommented, head.decode("utf-8", "replace").splitlines())), "")
        prefix, name, *_ = _label_of_text(line or "?")
        return _columns(line) is not None or (name is not None and "/" in str(prefix) and _is_network(str(prefix)))

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """One label a line."""
        columns: dict[str, int] | None = None
        first = True
        for first_line, block in data.lines(_BLOCK_BYTES):
            rows, lines = [], []
            for number, raw in enumerate(block.split(b"\n"), first_line):
                line = _uncommented(raw.decode("utf-8", "replace"))
                if line and first:
                    first, columns = False, _columns(line)
                    if columns is not None:
                        continue
                if not line:
                    continue
                label = _label_of_text(line) if columns is None else _label_of_csv(line, columns)
                if not is_text(raw):
                    account.reject(Reject(data.name, number, "not_text", line[:_SHOWN], LABEL))
                elif label[0] and label[1]:
                    rows.append(label)
                    lines.append(number)
                else:
                    found = f"no prefix or no name: {line[:_SHOWN]}"
                    account.reject(Reject(data.name, number, "malformed", found, LABEL))
            yield from _blocks(rows, lines, data.name)


def _special(services: set[str]) -> set[str]:
    """The services of one prefix without those that are only there because another is."""
    for general in _GENERAL:
        if len(services) > 1:
            services = services - {general}
    return services


def _uncommented(line: str) -> str:
    text = line.strip()
    return "" if text.startswith("#") else text.split(" #", 1)[0].strip()


def _columns(line: str) -> dict[str, int] | None:
    """Positions of the columns that a CSV header names; None where the line is none."""
    names = [name.strip().lower() for name in line.split(",")]
    names = ["service" if name == "name" else name for name in names]
    if "prefix" not in names or "service" not in names:
        return None
    return {name: names.index(name) for name in _FIELDS if name in names}


def _label_of_csv(line: str, columns: dict[str, int]) -> _Label:
    try:
        values = [value.strip() for value in next(csv.reader([line], skipinitialspace=True))]
    except csv.Error:  # a carriage return inside, or a value of more than 128 KiB
        return None, None, None, None, None
    at = [columns.get(name, len(values)) for name in _FIELDS]
    prefix, service, kind, region, network = (values[i] or None if i < len(values) else None for i in at)
    return prefix, service, kind, region, network


def _label_of_text(line: str) -> _Label:
    prefix, *name = line.split(None, 1)
    return prefix, name[0] if name else None, None, None, None


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _blocks(rows: Sequence[_Label], lines: list[int], source: str) -> Iterator[Block]:
    if rows:
        values = zip(_FIELDS, zip(*rows, strict=True), strict=True)
        columns = {name: typed_column(column, pa.string()) for name, column in values}
        yield Block(LABEL, columns, source, np.array(lines, np.int64))


FORMATS: tuple[Format, ...] = (AwsRanges(), PrefixFile())
