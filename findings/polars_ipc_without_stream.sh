#!/usr/bin/env bash
# An Arrow file that Polars writes holds no Arrow stream.
#
# Ran:      nanoarrow 0.8.0, polars 2.1.0, pyarrow 26.0.1. One column of three numbers, written by write_ipc of Polars and by
#           PyArrow; then read as a file, and from behind the magic bytes as a stream.
# Expected: The Arrow format says that what follows the magic bytes of a file is a stream, with its schema first, and then a
#           footer. So a reader that cannot seek, as behind a pipe, skips eight bytes and reads the stream.
# Happens:  PyArrow's file begins with the schema. In the file of Polars something else stands in its place, so that PyArrow and
#           nanoarrow find no schema. The schema stands in the footer only, which a reader of files takes.
# Seen:     The text after "expected.txt" below.
# Matters:  Who tells logs by their first bytes, or reads them from a pipe, cannot read what Polars writes with its usual call.
# Do:       Read the footer. Or write with write_ipc_stream.
# Here:     attribution/sources/columnar/opening.py takes the columns of an Arrow file from the footer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check nanoarrow==0.8.0 polars==2.1.0 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import io

import nanoarrow.ipc
import polars
import pyarrow
import pyarrow.ipc

print("nanoarrow", nanoarrow.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)


def tried(read):
    try:
        return read()
    except Exception as error:
        return f"no schema ({type(error).__name__})"


polars.DataFrame({"bytes": [1, 2, 3]}).write_ipc("polars.arrow", compression="uncompressed")
rows = pyarrow.table({"bytes": [1, 2, 3]})
with pyarrow.ipc.new_file("pyarrow.arrow", rows.schema) as file:
    file.write(rows)
polars.DataFrame({"bytes": [1, 2, 3]}).write_ipc_stream("polars.stream")
for name, magic in (("pyarrow.arrow", 8), ("polars.arrow", 8), ("polars.stream", 0)):
    content = open(name, "rb").read()[magic:]
    if magic:
        print(f"{name:<14} file   pyarrow  ", pyarrow.ipc.open_file(name).schema)
    print(f"{name:<14} stream pyarrow  ", tried(lambda: pyarrow.ipc.open_stream(io.BytesIO(content)).schema))
    opened = nanoarrow.ipc.InputStream.from_readable(io.BytesIO(content))
    print(f"{name:<14} stream nanoarrow", tried(lambda: nanoarrow.ArrayStream(opened).schema))
PYTHON
cat > expected.txt <<'TEXT'
nanoarrow 0.8.0 polars 2.1.0 pyarrow 26.0.1
pyarrow.arrow  file   pyarrow   bytes: int64
pyarrow.arrow  stream pyarrow   bytes: int64
pyarrow.arrow  stream nanoarrow <Schema> non-nullable struct<bytes: int64>
polars.arrow   file   pyarrow   bytes: int64
polars.arrow   stream pyarrow   no schema (OSError)
polars.arrow   stream nanoarrow no schema (NanoarrowException)
polars.stream  stream pyarrow   bytes: int64
polars.stream  stream nanoarrow <Schema> non-nullable struct<bytes: int64>
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
