"""Heartbeats put aside on disk, already numbered, and taken up by the hour."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from attribution.config import HOUR
from attribution.core.columnar.arrays import order_by, starts_of_runs
from attribution.core.columnar.types import Column, Int32, Ints
from attribution.core.ownership.heartbeats import COLUMNS, TEXTS, Heartbeats

_TEXT = pa.dictionary(pa.int32(), pa.string())
_NUMBERS = {"socket": pa.int64(), "start": pa.int64(), "end": pa.int64()}
_SCHEMA = pa.schema([pa.field(name, _TEXT if name in TEXTS else _NUMBERS[name]) for name in COLUMNS])


class HeartbeatRuns:
    """Sets of heartbeats, each an Arrow file with a batch for every hour in which some of it starts.

    A file holds every text once and a number for each row: text is encoded when it is put aside, not for every use.

    Attributes:
        rows: heartbeats by the hour, since 1970, in which they start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._batch_of: list[dict[int, int]] = []
        self.rows: dict[int, int] = {}

    def add(self, heartbeats: Heartbeats) -> None:
        """Put a set aside."""
        if len(heartbeats) == 0:
            return
        hour = heartbeats.start // HOUR
        order = order_by(hour)
        hour = hour[order]
        begins = np.flatnonzero(starts_of_runs(hour))
        numbers = hour[begins]
        self._folder.mkdir(parents=True, exist_ok=True)
        with pa.ipc.new_file(str(self._path(len(self._batch_of))), _SCHEMA) as writer:
            for rows in np.split(order, begins[1:]):
                writer.write_batch(_batch(heartbeats.take(rows)))
        self._batch_of.append({number: place for place, number in enumerate(numbers.tolist())})
        sizes = np.diff(np.append(begins, len(hour)))
        for number, size in zip(numbers.tolist(), sizes.tolist(), strict=True):
            self.rows[number] = self.rows.get(number, 0) + size

    def read(self, hours: Sequence[int]) -> list[Heartbeats]:
        """What starts in these hours, one set of each that was put aside."""
        found = []
        for run, batch_of in enumerate(self._batch_of):
            places = [batch_of[hour] for hour in hours if hour in batch_of]
            if places:
                with pa.OSFile(str(self._path(run))) as source:
                    reader = pa.ipc.open_file(source)
                    found.append(_heartbeats(pa.Table.from_batches([reader.get_batch(place) for place in places])))
        return found

    def close(self) -> None:
        """Remove all of them."""
        self._batch_of.clear()
        self.rows.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, run: int) -> Path:
        return self._folder / f"heartbeats-{run}.arrow"


def _batch(heartbeats: Heartbeats) -> pa.RecordBatch:
    def column(name: str) -> pa.Array:
        values = getattr(heartbeats, name)
        if name not in TEXTS:
            return pa.array(values)
        code = pa.array(values, mask=values < 0)
        return pa.DictionaryArray.from_arrays(code, getattr(heartbeats, TEXTS[name]))

    return pa.RecordBatch.from_arrays([column(name) for name in COLUMNS], schema=_SCHEMA)


def _heartbeats(table: pa.Table) -> Heartbeats:
    """The heartbeats of batches of one file, which all have its texts."""
    columns: dict[str, Column | Ints] = {}
    for name in COLUMNS:
        chunks = table.column(name).chunks
        if name in TEXTS:
            columns[TEXTS[name]] = chunks[0].dictionary
            columns[name] = np.concatenate([_codes(chunk) for chunk in chunks])
        else:
            columns[name] = np.concatenate([chunk.to_numpy() for chunk in chunks])
    return Heartbeats(**columns).without_unused_text()


def _codes(texts: pa.DictionaryArray) -> Int32:
    codes: Int32 = texts.indices.fill_null(-1).to_numpy()
    return codes
