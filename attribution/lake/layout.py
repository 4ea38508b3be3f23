"""Where everything lies in a lake.

    lake.json                                         the manifest: format, settings, summary
    rejects.jsonl                                     input rows that could not be used, with their reasons
    attributed_flows/date=2026-03-02/hour=14/*.parquet
    ownership_ranges/date=2026-03-02/*.parquet
    assignments/*.parquet, labels/*.parquet, …        the evidence that explains answers

Which kinds of records have a folder, and its partitions, stands in `attribution.records`.
"""

from typing import Any, Final

from attribution.records import KINDS

MANIFEST: Final = "lake.json"
#: Version of the folder layout and of its records; a reader refuses every other one. 2: ports have their protocol.
LAKE_FORMAT: Final = 2
REJECTS: Final = "rejects.jsonl"

#: Record -> its folder, which is also the name of its view in queries.
FOLDERS: Final = {kind.name: kind.plural for kind in KINDS if kind.in_lake}
#: Record -> keys of the Hive partitions in its folder, from the outside in.
PARTITIONS: Final = {kind.name: kind.partitions for kind in KINDS if kind.in_lake}

#: How every Parquet file of the lake is written. Times rise slowly and pack best as differences; numbers that hardly
#: repeat gain nothing from a dictionary.
PARQUET_OPTIONS: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": 1,
    "store_schema": False,
    "write_statistics": True,
}
