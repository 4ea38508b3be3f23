"""A file appears whole, and keeps what it was; what is no plain file is written into and never replaced."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from attribution.lake.whole_file import check_writable, write_whole

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def write(path, text="new"):
    check_writable(path)
    write_whole(path, [text[:1].encode(), text[1:].encode()])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_takes_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_file_keeps_its_mode_and_is_replaced_in_one_step(tmp_path, mode):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    with path.open() as reader:
        write(path)
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert names(tmp_path) == ["file"]


@needs_root
def test_a_file_keeps_its_owner(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    os.chown(path, 12345, 23456)
    path.chmod(0o4640)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (12345, 23456, 0o4640)


def test_a_file_keeps_its_extended_attributes(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    try:
        os.setxattr(path, "user.kept", b"yes")
    except (OSError, AttributeError):
        pytest.skip("no extended attributes here")
    write(path)
    assert (path.read_text(), os.getxattr(path, "user.kept")) == ("new", b"yes")


def test_links_are_followed_and_stay(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("old")
    (tmp_path / "one").symlink_to("there/file")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    (tmp_path / "dangling").symlink_to("there/made")
    write(tmp_path / "two")
    write(tmp_path / "dangling")
    assert [(tmp_path / "there" / name).read_text() for name in ("file", "made")] == ["new", "new"]
    assert all((tmp_path / name).is_symlink() for name in ("one", "two", "dangling"))
    assert names(tmp_path / "there") == ["file", "made"]
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        write_whole(tmp_path / "loop", [b"new"])


def test_all_names_of_a_file_show_the_new_content(tmp_path):
    (tmp_path / "one").write_text("old and longer")
    (tmp_path / "other").hardlink_to(tmp_path / "one")
    write(tmp_path / "one")
    assert (tmp_path / "other").read_text() == "new"


def test_a_pipe_is_written_into(tmp_path):
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        reader = threading.Thread(target=lambda: read.append(path.read_text()))
        before = path.stat()
        reader.start()
        write(tmp_path / name)
        reader.join()
        assert (path.stat().st_ino, path.stat().st_mode) == (before.st_ino, before.st_mode)
    assert read == ["new", "new"]
    assert names(tmp_path) == ["link", "pipe"]


def test_a_terminal_is_written_into():
    ours, theirs = os.openpty()
    path, before = os.ttyname(theirs), os.fstat(theirs)
    write_whole(Path(path), [b"new"])
    assert os.read(ours, 10) == b"new"
    after = Path(path).stat()
    assert (after.st_ino, after.st_mode, after.st_rdev) == (before.st_ino, before.st_mode, before.st_rdev)
    os.close(ours)
    os.close(theirs)


def test_a_socket_is_written_into(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        server.listen()
        write(tmp_path / "socket")
        with server.accept()[0] as accepted:
            assert accepted.recv(10) == b"new"
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


@pytest.mark.parametrize("place", ["/proc/self/fd", "/dev/fd"])
def test_a_descriptor_of_this_process_is_written_into_where_it_is(tmp_path, place):
    if not Path(place).is_dir():
        pytest.skip(f"no {place} here")
    path = tmp_path / "file"
    with path.open("w") as opened:
        opened.write("before ")
        opened.flush()
        write(Path(place) / str(opened.fileno()))
        opened.write(" after")
    assert path.read_text() == "before new after"


@not_as_root
def test_a_file_in_a_folder_that_takes_no_new_ones_is_written_in_place(tmp_path):
    (tmp_path / "file").write_text("old and longer")
    tmp_path.chmod(0o555)
    try:
        write(tmp_path / "file")
        assert (tmp_path / "file").read_text() == "new"
        with pytest.raises(PermissionError):
            check_writable(tmp_path / "other")
    finally:
        tmp_path.chmod(0o755)


def test_a_folder_whose_files_cannot_be_made_has_its_files_written_in_place(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old and longer")
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, how: path != tmp_path and allowed(path, how))
    before = (tmp_path / "file").stat().st_ino
    write(tmp_path / "file")
    assert ((tmp_path / "file").read_text(), (tmp_path / "file").stat().st_ino) == ("new", before)


def test_a_file_whose_owner_cannot_be_kept_is_written_in_place(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "file").write_text("old and longer")
    monkeypatch.setattr(os, "fchmod", refused)
    before = (tmp_path / "file").stat().st_ino
    write(tmp_path / "file")
    assert ((tmp_path / "file").read_text(), (tmp_path / "file").stat().st_ino) == ("new", before)
    assert names(tmp_path) == ["file"]


def test_a_file_that_could_not_be_written_whole_stays_what_it_was(tmp_path):
    def broken():
        yield b"half"
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("old")
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "file", broken())
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_what_cannot_be_written_is_found_out_before_the_work(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "file"):
        with pytest.raises(OSError, match="directory"):
            check_writable(path)
