"""The formats, and which of them a source is of: decided by content, never by file name."""

from collections.abc import Sequence

import pyarrow as pa

from attribution.errors import SourceError
from attribution.sources.columnar.opening import columns_of, is_columnar, kind_of
from attribution.sources.formats import goflow2, labels, policies
from attribution.sources.formats.cloudtrail import format as cloudtrail
from attribution.sources.formats.dns import dnstap, route53_resolver
from attribution.sources.formats.hubble import format as hubble
from attribution.sources.formats.kubernetes import format as kubernetes
from attribution.sources.formats.native import format as native
from attribution.sources.formats.netobserv import format as netobserv
from attribution.sources.formats.vpc import parquet as vpc_parquet
from attribution.sources.formats.vpc import text as vpc
from attribution.sources.formats.zeek import format as zeek
from attribution.sources.input.opening import HEAD_BYTES, OpenInput
from attribution.sources.mapping.shape import columns_shown
from attribution.sources.records.model import ColumnarFormat, Format, Input, Ledger, Wanted
from attribution.sources.records.wanted import missing
from attribution.sources.wrapping.recognise import Recognised, inside, recognise

#: Every format, those that claim least first. Native JSON comes last: extra fields do not keep it from matching.
FORMATS: tuple[Format, ...] = (
    *vpc_parquet.FORMATS,
    *zeek.FORMATS,
    *hubble.FORMATS,
    *netobserv.FORMATS,
    *goflow2.FORMATS,
    *cloudtrail.FORMATS,
    *kubernetes.FORMATS,
    *dnstap.FORMATS,
    *route53_resolver.FORMATS,
    *policies.FORMATS,
    *labels.FORMATS,
    *vpc.FORMATS,
    *native.FORMATS,
)

#: Why each format leaves out sound rows: format -> reason -> meaning.
SKIPS = {known.name: known.skips for known in FORMATS if known.skips}

_SHOWN = 60

#: What a source is that is often taken for a log, by its first bytes, and what to do with it.
_NO_LOGS: tuple[tuple[bytes, str], ...] = (
    (b"BZh", "it is bzip2: decompress it first"),
    (b"\xfd7zXZ\0", "it is xz: decompress it first"),
    (b"\x04\x22\x4d\x18", "it is lz4: decompress it first"),
    (b"PK\x03\x04", "it is a zip archive: unpack it first"),
    (b"\xff\xfe", "it is UTF-16 text: write it as UTF-8"),
    (b"\xfe\xff", "it is UTF-16 text: write it as UTF-8"),
    (b"Obj\x01", "it is Avro: convert it to Parquet"),
    (b"\xd4\xc3\xb2\xa1", "it is a packet capture: let Zeek make logs of it"),
    (b"\xa1\xb2\xc3\xd4", "it is a packet capture: let Zeek make logs of it"),
    (b"\x0a\x0d\x0d\x0a", "it is a packet capture: let Zeek make logs of it"),
)


class UnknownFormatError(SourceError):
    """A source is of no known format; it may be whole all the same.

    Attributes:
        short: what it is instead, without the list of formats.
    """

    def __init__(self, source: str, found: str, known_as: str = "") -> None:
        advice = known_as or (
            f"the formats are {', '.join(names())}; "
            "if it is of one of them all the same, say so with --input-format NAME; if it is another table or JSON of "
            "flows or evidence, write a --mapping of its columns; else leave the file out"
        )
        super().__init__(f"cannot tell the format of {source}: {found}; {advice}")
        self.short = f"{source} is of no known format: {known_as or found}"


def names() -> tuple[str, ...]:
    """Names of the formats, as `--input-format` takes them."""
    return tuple(sorted({known.name for known in FORMATS}))


def by_name(name: str) -> Format:
    """The format of that name.

    Raises:
        SourceError: there is none; the message lists the names.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    raise SourceError(f"there is no format {name!r}; the formats are {', '.join(names())} (--input-format)")


def detect(data: Input, chosen: Format | None = None) -> Recognised[Format]:
    """The format of a source, by its first bytes, or by its columns if it is Parquet or Arrow; and its wrappings.

    Args:
        data: the source.
        chosen: its format, if a person named it; only its wrappings are asked for then.

    Raises:
        UnknownFormatError: it is of none; the message shows its beginning, names the formats and says what to do.
        SourceError: it is Parquet or Arrow that is encrypted, or has no readable end.
    """
    head = data.head()
    columnar = is_columnar(head)
    if chosen is not None:
        of_chosen = None if columnar else _of_text(data, head, [chosen])
        return of_chosen or Recognised(chosen, ())
    columns = frozenset(columns_of(data)) if columnar else frozenset()
    recognised = _of_columns(columns) if columnar else _of_text(data, head)
    if recognised is not None:
        return recognised
    found = f"it starts with {head[:_SHOWN]!r}{'' if columnar else _inside(head)}"
    if columns:
        found = f"it is {kind_of(head)} with the columns {', '.join(sorted(columns))}"
    elif shown := columns_shown(head):
        found += f"; its columns are {', '.join(shown[:_SHOWN])}"
    for magic, known_as in _NO_LOGS:
        if head.startswith(magic):
            raise UnknownFormatError(data.name, found, known_as)
    raise UnknownFormatError(data.name, found)


def _inside(head: bytes) -> str:
    """What stands in the wrapping that content most likely has, if it has any."""
    found = inside(head)
    return "" if found is None else f"; in {found.wrapping} there is {found.format.strip()[:_SHOWN]!r}"


def _of_columns(columns: frozenset[str]) -> Recognised[Format] | None:
    for known in FORMATS:
        if isinstance(known, ColumnarFormat) and known.matches_columns(columns):
            return Recognised(known, ())
    return None


def _of_text(data: Input, head: bytes, formats: Sequence[Format] = FORMATS) -> Recognised[Format] | None:
    """Which of the formats text or JSON is of, and its wrappings: as it stands first, then within, then most likely."""
    plain = next((known for known in formats if known.matches(head)), None)
    if plain is not None:
        return Recognised(plain, ())

    def shipped(inner: bytes) -> Format | None:
        return next((known for known in formats if known.shipped and known.matches(inner)), None)

    recognised = recognise(head, shipped)
    if recognised is None and isinstance(data, OpenInput) and len(head) == HEAD_BYTES:
        recognised = recognise(data.long_head(), shipped)
    return recognised or recognise(head, lambda inner: next((one for one in formats if one.resembles(inner)), None))


def lacking(ledger: Ledger) -> list[tuple[Format, Wanted]]:
    """What attribution wants of the logs that were read, and no row had, by format."""
    return [(known, one) for known in FORMATS for one in missing(known.wants, ledger.shown_by(known.name))]


def completed(name: str, flows: pa.RecordBatch, ledger: Ledger) -> pa.RecordBatch:
    """Flows of the format of that name with what all sources of the run told of them."""
    known = by_name(name)
    return known.completed(flows, ledger.of(known))


def read_order(name: str) -> tuple[tuple[str, int], ...]:
    """Sort key of a file's name: some formats want one log of a set before another."""
    return tuple(known.read_order(name) for known in FORMATS)
