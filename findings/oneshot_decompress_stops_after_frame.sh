#!/usr/bin/env bash
# zstandard.decompress and lz4.frame.decompress give the first frame of a file and drop the rest, without an error.
#
# Ran:      zstandard 0.25.0, lz4 4.4.5, cramjam 2.14.0, pyarrow 26.0.1, Python's gzip. Two frames, one after the
#           other, as "cat" makes.
# Expected: All frames, as the command-line tools, gzip.decompress and the stream readers of the same packages give.
# Happens:  The one-shot functions and ZstdDecompressor.read_to_iter stop at the end of the first frame. open() of the
#           same packages, cramjam and PyArrow read all frames.
# Seen:     The text after "expected.txt" below.
# Matters:  Agents append a frame for each batch of flows, and people join rotated logs with "cat". Half of the flows
#           are gone, and the lines that remain are valid.
# Do:       Use zstandard.open or stream_reader, and lz4.frame.open. Or compare the number of consumed bytes with the
#           size of the file.
# Here:     attribution/sources/input/decompression.py reads all frames.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check cramjam==2.14.0 lz4==4.4.5 pyarrow==26.0.1 zstandard==0.25.0 || exit 2
cat > run.py <<'PYTHON'
import gzip
import io

import cramjam
import lz4.frame
import pyarrow
import zstandard

print("zstandard", zstandard.__version__, "lz4", lz4.__version__, "cramjam", cramjam.__version__, "pyarrow", pyarrow.__version__)
parts = (b"flow 1\n", b"flow 2\n")
zstd, lz4s, gzips = (b"".join(map(pack, parts)) for pack in (zstandard.compress, lz4.frame.compress, gzip.compress))


def report(name, content):
    print(name.ljust(36), bytes(content).decode().split("\n")[:-1])


report("zstandard.decompress", zstandard.decompress(zstd))
report("zstandard read_to_iter", b"".join(zstandard.ZstdDecompressor().read_to_iter(io.BytesIO(zstd))))
report("zstandard.open", zstandard.open(io.BytesIO(zstd)).read())
report("cramjam.zstd.decompress", cramjam.zstd.decompress(zstd))
report("pyarrow input_stream zstd", pyarrow.input_stream(io.BytesIO(zstd), compression="zstd").read())
report("lz4.frame.decompress", lz4.frame.decompress(lz4s))
report("lz4.frame.open", lz4.frame.open(io.BytesIO(lz4s)).read())
report("cramjam.lz4.decompress", cramjam.lz4.decompress(lz4s))
report("gzip.decompress", gzip.decompress(gzips))
PYTHON
cat > expected.txt <<'TEXT'
zstandard 0.25.0 lz4 4.4.5 cramjam 2.14.0 pyarrow 26.0.1
zstandard.decompress                 ['flow 1']
zstandard read_to_iter               ['flow 1']
zstandard.open                       ['flow 1', 'flow 2']
cramjam.zstd.decompress              ['flow 1', 'flow 2']
pyarrow input_stream zstd            ['flow 1', 'flow 2']
lz4.frame.decompress                 ['flow 1']
lz4.frame.open                       ['flow 1', 'flow 2']
cramjam.lz4.decompress               ['flow 1', 'flow 2']
gzip.decompress                      ['flow 1', 'flow 2']
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
