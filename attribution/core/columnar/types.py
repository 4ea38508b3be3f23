"""Short names for the types of columns: numpy arrays by their items, Arrow data by what it holds."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bool = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]
Float64 = npt.NDArray[np.float64]
#: Signed integers of any width.
Ints = npt.NDArray[np.signedinteger[Any]]

#: A column of any type.
Column: TypeAlias = pa.Array | pa.ChunkedArray
#: A column of text, dictionary-encoded or not.
Texts: TypeAlias = pa.Array | pa.ChunkedArray
#: Rows of one record type.
Records: TypeAlias = pa.RecordBatch | pa.Table
