"""From paths to lines: files, folders, globs, standard input, compression and damage."""

import contextlib
import errno
import gzip
import io
import os
import socket
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import SourceError
from attribution.sources.input.opening import HEAD_BYTES, OpenInput, open_inputs
from attribution.sources.input.paths import expand, total_bytes

LINES = b"".join(b"%06d a line of some text %d\n" % (i, i * 7919 % 1_000_003) for i in range(20_000))
FEW = b"".join(LINES.splitlines(keepends=True)[:99])
GZIP = gzip.compress(LINES, mtime=0)
ZSTD = pa.Codec("zstd").compress(LINES, asbytes=True)


@pytest.fixture(name="opened")
def _opened(tmp_path):
    with contextlib.ExitStack() as stack:

        def opened(content, name="log"):
            (tmp_path / name).write_bytes(content)
            return stack.enter_context(OpenInput(tmp_path / name))

        yield opened


def all_lines(source, block_bytes=1 << 16):
    """The content that `lines` yields, after a check that every block is whole and numbered right."""
    blocks = list(source.lines(block_bytes))
    number = 1
    for first, block in blocks:
        assert first == number
        number += block.count(b"\n")
    assert all(block.endswith(b"\n") for _, block in blocks[:-1])
    return b"".join(block for _, block in blocks)


@pytest.mark.parametrize("name", ["log", "log.gz", "log.zst", "log.txt"])
@pytest.mark.parametrize("content", [LINES, GZIP, ZSTD], ids=["plain", "gzip", "zstd"])
def test_compression_is_known_by_content_whatever_the_name_says(opened, content, name):
    source = opened(content, name)
    assert source.head() == LINES[:HEAD_BYTES]
    assert source.head() == LINES[:HEAD_BYTES]
    assert all_lines(source) == LINES
    assert source.damage is None
    assert source.consumed == len(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GZIP + GZIP, LINES * 2),
        (GZIP + gzip.compress(b"") + GZIP, LINES * 2),
        (GZIP + b"\0" * 1024, LINES),
        (GZIP + b"\0" * 512 + GZIP, LINES * 2),
        (ZSTD + ZSTD, LINES * 2),
        (b"\x50\x2a\x4d\x18\x05\0\0\0hello" + ZSTD, LINES),
        (b"\xef\xbb\xbf" + LINES, LINES),
        (gzip.compress(b"\xef\xbb\xbf" + LINES), LINES),
        (b"", b""),
        (gzip.compress(b""), b""),
    ],
    ids=[
        "gzip members",
        "empty gzip member",
        "gzip padded with zeros",
        "gzip members with zeros between",
        "zstd frames",
        "zstd behind a skippable frame",
        "byte order mark",
        "byte order mark in gzip",
        "empty",
        "empty gzip",
    ],
)
def test_content_is_whole_in_every_legal_form(opened, content, expected):
    source = opened(content)
    assert all_lines(source) == expected
    assert source.damage is None


@pytest.mark.parametrize("compressed", [GZIP, ZSTD], ids=["gzip", "zstd"])
@pytest.mark.parametrize("part", [0.0002, 0.1, 0.5, 0.9, 0.99999])
def test_truncated_content_keeps_the_whole_lines_before_its_end(opened, compressed, part):
    cut = compressed[: max(5, int(len(compressed) * part))]
    source = opened(cut)
    content = all_lines(source)
    assert LINES.startswith(content)
    assert content == b"" or content.endswith(b"\n")
    # Compression works in blocks, so the last part may give nothing; all before it must be there.
    assert len(content) >= len(LINES) * (part - 0.4)
    assert source.damage.reason == "truncated"
    assert "incomplete" in source.damage.found


def test_gzip_that_lacks_only_its_checksum_keeps_every_line(opened):
    for missing in range(1, 9):
        source = opened(GZIP[:-missing])
        assert all_lines(source) == LINES
        assert source.damage.reason == "truncated"


def test_a_gzip_member_cut_off_after_a_whole_one_keeps_the_whole_one(opened):
    source = opened(GZIP + GZIP[:1])
    assert all_lines(source) == LINES
    assert source.damage.reason == "truncated"


def test_damaged_gzip_keeps_what_stands_before_the_damage(opened):
    place = len(GZIP) // 2
    source = opened(GZIP[:place] + bytes([0xFF] * 64) + GZIP[place + 64 :])
    content = all_lines(source)
    assert source.damage.reason == "corrupt"
    assert content[: len(LINES) // 3] == LINES[: len(LINES) // 3]


def test_damaged_zstd_is_reported(opened):
    place = len(ZSTD) // 2
    source = opened(ZSTD[:place] + bytes(len(ZSTD) - place))
    assert len(all_lines(source)) < len(LINES)
    assert source.damage.reason == "corrupt"


@pytest.mark.parametrize("compressed", [GZIP, ZSTD], ids=["gzip", "zstd"])
def test_bytes_behind_compressed_content_are_damage_and_the_content_is_kept(opened, compressed):
    source = opened(compressed + b"and so on")
    assert LINES.startswith(all_lines(source))
    assert source.damage.reason == "corrupt"


def test_a_wrong_checksum_is_damage_that_costs_the_last_line_at_most(opened):
    source = opened(GZIP[:-8] + bytes(8))
    assert all_lines(source) in (LINES, LINES[: LINES[:-1].rfind(b"\n") + 1])
    assert source.damage.reason == "corrupt"


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=30),
    final_newline=st.booleans(),
    block_bytes=st.integers(1, 80),
    peek=st.booleans(),
)
def test_lines_are_numbered_however_they_fall_into_blocks(lines, final_newline, block_bytes, peek):
    content = b"\n".join(lines) + (b"\n" if final_newline and lines else b"")
    if content.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf")) or content[1:4] == b"\x2a\x4d\x18":
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with OpenInput(Path(file.name)) as source:
            if peek:
                assert source.head() == content.lstrip()
            blocks = list(source.lines(block_bytes))
    found = {
        at: line for number, block in blocks for at, line in enumerate(block.removesuffix(b"\n").split(b"\n"), number)
    }
    expected = content.removesuffix(b"\n").split(b"\n") if content else []
    assert found == dict(enumerate(expected, 1))


def test_reading_by_size_gives_every_byte_once(opened):
    source = opened(GZIP)
    source.head()
    content = b""
    while piece := source.read(1000):
        assert len(piece) <= 1000
        content += piece
    assert content == LINES


@pytest.mark.parametrize("block_bytes", [7, 700, 1 << 16, 2 << 20])
@pytest.mark.parametrize("before", [b"", FEW[: FEW.index(b"\n") + 1], FEW])
@pytest.mark.parametrize("after", [b"", b"\n", b"\n" + FEW, b"\n\n" + FEW[:-1]])
def test_a_line_that_is_too_long_is_left_out_by_its_number_and_reading_goes_on(
    opened, monkeypatch, block_bytes, before, after
):
    monkeypatch.setattr("attribution.sources.input.opening._LONGEST_LINE", 1 << 16)
    source = opened(before + b"x" * (3 << 20) + after)
    found = {}
    for first, block in source.lines(block_bytes):
        assert len(block) < 3 << 20
        found |= dict(enumerate(block.removesuffix(b"\n").split(b"\n"), first))
    number = before.count(b"\n") + 1
    lines = (before + after.removeprefix(b"\n")).removesuffix(b"\n").split(b"\n")
    numbers = [*range(1, number), *range(number + 1, len(lines) + 2)]
    assert found == ({} if lines == [b""] else dict(zip(numbers, lines, strict=True)))
    assert source.too_long == [(number, b"x" * 200)]
    assert source.damage is None


def test_several_lines_that_are_too_long_are_left_out(opened, monkeypatch):
    monkeypatch.setattr("attribution.sources.input.opening._LONGEST_LINE", 1 << 18)
    long = b"x" * (1 << 20)
    source = opened(gzip.compress(b"a\n" + long + b"\n" + long + b"\nb\n" + long))
    assert [(first, block) for first, block in source.lines(100)] == [(1, b"a\n"), (4, b"b\n")]
    assert [number for number, _ in source.too_long] == [2, 3, 5]


@pytest.mark.parametrize("blank", [b"\n", b" ", b"\r\n", b" \t\n"])
@pytest.mark.parametrize("size", [1, HEAD_BYTES, 3 << 20])
def test_blank_space_before_the_first_record_hides_nothing_and_is_counted(opened, blank, size):
    before = blank * (size // len(blank) + 1)
    source = opened(before + LINES)
    assert source.head() == LINES[:HEAD_BYTES]
    assert all_lines(source) == before + LINES


def test_more_blank_space_than_memory_is_for_is_dropped_and_its_lines_are_counted(opened, monkeypatch):
    monkeypatch.setattr("attribution.sources.input.opening._LONGEST_LINE", 1 << 16)
    source = opened(b"\n" * (9 << 20) + LINES)
    assert source.head() == LINES[:HEAD_BYTES]
    assert len(source._pending) < 3 << 20
    blocks = list(source.lines(1 << 20))
    numbered = [
        (first + block.count(b"\n") - len(block.lstrip().splitlines()), block.lstrip()) for first, block in blocks
    ]
    assert next(first for first, block in numbered if block) == (9 << 20) + 1
    assert b"".join(block for _, block in blocks).lstrip() == LINES


def test_a_folder_is_read_to_the_bottom_in_name_order_without_hidden_files_and_markers(tmp_path):
    for name in ["b.log", "a/2.log", "a/10.log", "_SUCCESS", ".hidden", "a/.c.crc", "_temporary/x", ".git/y", "a/b/z"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x\n")
    names = [str(path.relative_to(tmp_path)) for path in expand([tmp_path])]
    assert names == ["b.log", "a/10.log", "a/2.log", "a/b/z"]
    assert total_bytes([tmp_path]) == 8


def test_a_file_named_twice_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "a.log").write_bytes(b"x\n")
    (tmp_path / "b.log").symlink_to(tmp_path / "a.log")
    monkeypatch.chdir(tmp_path)
    assert [path.name for path in expand([tmp_path, tmp_path / "a.log", "*.log", "a.log"])] == ["a.log"]


def test_a_folder_that_contains_itself_through_a_link_is_read_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log").write_bytes(b"x\n")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert [path.name for path in expand([tmp_path])] == ["log"]


def test_a_pattern_names_files_and_folders_and_a_name_with_brackets_is_no_pattern(tmp_path):
    (tmp_path / "day=1").mkdir()
    (tmp_path / "day=1" / "x").write_bytes(b"x\n")
    (tmp_path / "day=2").write_bytes(b"x\n")
    (tmp_path / "[odd].log").write_bytes(b"x\n")
    assert [p.name for p in expand([str(tmp_path / "day=*")])] == ["x", "day=2"]
    assert [p.name for p in expand([str(tmp_path / "**" / "x")])] == ["x"]
    assert [p.name for p in expand([str(tmp_path / "[odd].log")])] == ["[odd].log"]


def test_a_hidden_file_that_is_named_is_read(tmp_path):
    (tmp_path / ".log").write_bytes(LINES)
    (source,) = open_inputs([tmp_path / ".log"])
    assert source.name == str(tmp_path / ".log")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing.log", "no such file or folder"),
        ("*.gone", "no file matches the pattern"),
        ("empty", "there is no file in it"),
        ("marked", "there is no file in it"),
        ("dangling", r"it is a link to .*nowhere, which does not exist; bring back"),
        ("round", "it is a link that leads back to itself"),
        ("socket", "it is a socket"),
        ("pipes", "there is no file in it"),
    ],
)
def test_what_cannot_be_read_is_named_before_anything_is_read(tmp_path, monkeypatch, path, said):
    (tmp_path / "good.log").write_bytes(LINES)
    (tmp_path / "empty").mkdir()
    (tmp_path / "marked").mkdir()
    (tmp_path / "marked" / "_SUCCESS").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes" / "pipe")
    (tmp_path / "pipes" / "dangling").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    with pytest.raises(SourceError, match=said) as raised:
        next(open_inputs([tmp_path / "good.log", tmp_path / path]))
    assert str(tmp_path / path) in str(raised.value)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "secret.log"
    path.write_bytes(LINES)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceError, match=r"secret\.log: permission denied; make it readable"):
        next(open_inputs([path]))


def test_pipes_and_dangling_links_in_a_folder_are_left_out_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "log").write_bytes(LINES)
    assert expand([tmp_path]) == [tmp_path / "log"]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EMFILE, r"Too many open files; raise the limit of open files"),
        (errno.ESTALE, r"its server no longer knows it"),
        (errno.ENOENT, r"no such file or folder"),
        (errno.EIO, r"Input/output error; make it readable or leave it out"),
    ],
)
def test_a_file_that_cannot_be_opened_any_more_is_named_with_the_reason(tmp_path, monkeypatch, number, said):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    (tmp_path / "log").write_bytes(LINES)
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(SourceError, match=f"cannot read .*log: .*{said}"):
        next(open_inputs([tmp_path / "log"]))


def test_a_copy_that_does_not_fit_names_the_temporary_folder_and_how_to_choose_another(opened, monkeypatch):
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda **_: Full())
    with pytest.raises(SourceError, match=r"temporary folder .*No space left.*make room there, .*TMPDIR"):
        opened(GZIP).seekable_file()


def test_a_file_that_shrinks_or_grows_while_it_is_read_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(LINES)
    with OpenInput(path) as source:
        blocks = source.lines(1 << 12)
        first = next(blocks)[1]
        os.truncate(path, len(LINES) // 2)
        content = first + b"".join(block for _, block in blocks)
    assert LINES.startswith(content)
    path.write_bytes(LINES)
    with OpenInput(path) as source:
        source.head()
        with path.open("ab") as more:
            more.write(LINES)
        assert all_lines(source) == LINES * 2


def test_a_read_that_fails_is_damage_after_what_was_read(opened):
    source = opened(LINES)

    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() >= 1 << 19:
                raise OSError(5, "Input/output error")
            return super().read(min(size, 1 << 18))

    source._file.close()
    source._file = Failing(LINES)
    content = all_lines(source)
    assert content == LINES[: LINES[: 1 << 19].rfind(b"\n") + 1]
    assert source.damage.reason == "unreadable"
    assert "Input/output error" in source.damage.found


@pytest.mark.parametrize("content", [LINES, GZIP, ZSTD], ids=["plain", "gzip", "zstd"])
def test_standard_input_is_read_like_a_file(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    (source,) = [(s.name, all_lines(s), s.damage) for s in open_inputs(["-"])]
    assert source == ("<stdin>", LINES, None)
    assert total_bytes(["-"]) is None


def test_a_pipe_is_read_like_a_file():
    reader, writer = os.pipe()
    os.write(writer, GZIP[:4000])
    os.close(writer)
    with OpenInput(expand([f"/dev/fd/{reader}"])[0]) as source:
        content = all_lines(source)
    os.close(reader)
    assert LINES.startswith(content)
    assert source.damage.reason == "truncated"


@pytest.mark.parametrize("content", [LINES, GZIP, ZSTD], ids=["plain", "gzip", "zstd"])
def test_a_seekable_file_holds_the_whole_content_even_after_the_head_was_seen(opened, content):
    source = opened(content)
    source.head()
    file = source.seekable_file()
    file.seek(-6, io.SEEK_END)
    assert file.read() == LINES[-6:]
    file.seek(0)
    assert pa.PythonFile(file, mode="r").read() == LINES
    assert source.seekable_file().tell() == 0
