"""AWS flow logs as CSV or TSV, as Athena and CloudWatch Insights print their columns.

The header names the columns in any spelling (`fields.field_of`); other columns, such as Insights' `@timestamp`, are not
read. Values may stand in quotation marks; `-` and empty values are null. Times may have any unit (`times.Times`).
"""

from collections.abc import Iterator

import pyarrow as pa

from attribution.errors import SourceError
from attribution.schema import FLOW
from attribution.sources.delimited.rows import Dialect, dialect_of, read_rows
from attribution.sources.formats.vpc.fields import is_flow_log, table_layout
from attribution.sources.formats.vpc.rows import RowReader
from attribution.sources.formats.vpc.times import Times
from attribution.sources.records.model import Account, Block, Input
from attribution.sources.records.set_aside import bad_lines

#: The whole row as text, which is read where the columns do not suffice.
_MESSAGE = "@message"


def dialect_of_log(head: bytes) -> Dialect | None:
    """How a table is written that begins so; None where it is no flow log."""
    found = dialect_of(head)
    if found is None or not is_flow_log(found.names):
        return None
    layout = table_layout(found.names)
    if layout.missing and _MESSAGE in found.names:
        return None
    return Dialect(found.delimiter, layout.columns)


def read_table(data: Input, dialect: Dialect, account: Account) -> Iterator[Block]:
    """Flows of the rows, and at the end the heartbeats of the ECS tasks that they name.

    Raises:
        SourceError: a column is missing that a flow needs, or a row has more than 64 MiB.
    """
    layout = table_layout(dialect.names)
    if layout.missing:
        raise SourceError(
            f"cannot read {data.name} as a flow log of AWS: the table has no column {', '.join(layout.missing)}; "
            "add it to the query"
        )
    rows = RowReader(data.name, account, Times())
    # Times are text until their unit is known: they may be numbers or ISO 8601.
    types = {name: pa.string() if name in ("start", "end") else kind for name, kind in layout.types.items()}
    for found in read_rows(data, dialect, types, bad_lines(account, data.name, FLOW)):
        block = rows.flows(pa.table(found.columns), found.lines)
        if block is not None:
            yield block
    heartbeats = rows.heartbeats()
    if heartbeats is not None:
        yield heartbeats
