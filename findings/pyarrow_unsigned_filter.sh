#!/usr/bin/env bash
# The PyArrow filter field("flow_id") > 0 on unsigned 64-bit numbers works until a number of 2^63 or more is in the
# column.
#
# Ran:      pyarrow 26.0.1. A Parquet file with the uint64 identifiers 1 and 2, and a file with 1 and 2^63.
# Expected: A comparison with 0 works for each value of the type, or fails for each file.
# Happens:  0 is an int64, and PyArrow casts the column to int64. A large value makes the filter raise ArrowInvalid,
#           so the program fails on the data of some day. isin([1]) fails too.
# Seen:     The text after "expected.txt" below.
# Matters:  Hashes, flow identifiers and 64-bit counters of exporters use the upper half of the type. Tests with small
#           numbers pass.
# Do:       Give the scalar the type of the column: pyarrow.scalar(0, pyarrow.uint64()).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet

print("pyarrow", pyarrow.__version__)
field = pyarrow.compute.field("flow_id")
for numbers in ([1, 2], [1, 2**63]):
    pyarrow.parquet.write_table(pyarrow.table({"flow_id": pyarrow.array(numbers, pyarrow.uint64())}), "flows.parquet")
    flows = pyarrow.dataset.dataset("flows.parquet")
    print(numbers)
    for name, condition in (
        ("> 0", field > 0),
        ("> 0 as uint64", field > pyarrow.scalar(0, pyarrow.uint64())),
        ("is in [1]", field.isin([1])),
    ):
        try:
            print("  flow_id", name, "->", flows.to_table(filter=condition).num_rows, "rows")
        except pyarrow.ArrowInvalid as error:
            print("  flow_id", name, "->", error)
PYTHON
cat > expected.txt <<'TEXT'
pyarrow 26.0.1
[1, 2]
  flow_id > 0 -> 2 rows
  flow_id > 0 as uint64 -> 2 rows
  flow_id is in [1] -> 1 rows
[1, 9223372036854775808]
  flow_id > 0 -> Integer value 9223372036854775808 not in range: 0 to 9223372036854775807
  flow_id > 0 as uint64 -> 2 rows
  flow_id is in [1] -> Integer value 9223372036854775808 not in range: 0 to 9223372036854775807
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
