"""What is made beside its place: it takes the umask, appears in one step, and what killed runs left is removed."""

import multiprocessing
import os
import stat

import pytest

from attribution.errors import LakeError
from attribution.lake import staging
from attribution.lake.lake import StagedLake, writing
from attribution.lake.staging import StagedFolder, scratch, staged_file


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o027, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_lake_takes_the_umask(tmp_path, umask):
    with StagedLake(tmp_path / "lake") as lake:
        (lake.folder / "part").mkdir()
        lake.commit({})
    assert mode(tmp_path / "lake") == mode(tmp_path / "lake" / "part") == 0o777 & ~umask
    assert mode(tmp_path / "lake" / "lake.json") == 0o666 & ~umask


def _stage_and_die(place):
    staged = StagedFolder(place)
    (staged.path / "half").write_text("written")
    os._exit(1)


def test_what_a_killed_run_left_is_removed_and_what_another_run_makes_is_not(tmp_path):
    place = tmp_path / "lake"
    process = multiprocessing.get_context("fork").Process(target=_stage_and_die, args=(place,))
    process.start()
    process.join()
    (left,) = hidden(tmp_path)
    (tmp_path / ".other.00000000.partial").mkdir()
    (tmp_path / ".lake.notes").write_text("a person's")
    with StagedFolder(place) as one:
        assert left not in hidden(tmp_path)
        with StagedFolder(place) as other:
            assert one.path.is_dir()
            assert one.path != other.path
    assert hidden(tmp_path) == [".lake.notes", ".other.00000000.partial"]


def test_a_link_to_a_folder_stays_and_its_folder_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old").touch()
    (tmp_path / "link").symlink_to("real")
    with StagedFolder(tmp_path / "link") as staged:
        (staged.path / "new").touch()
        staged.put()
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["new"]
    assert hidden(tmp_path) == []


def test_everything_is_on_disk_before_a_folder_appears_and_the_folder_above_it_after(tmp_path, monkeypatch):
    place, synced = tmp_path / "made", []
    monkeypatch.setattr(staging, "sync", lambda path: synced.append((path, place.exists())))
    with StagedFolder(place) as staged:
        (staged.path / "part").mkdir()
        (staged.path / "part" / "file").touch()
        wanted = {(path, False) for path in (staged.path, staged.path / "part", staged.path / "part" / "file")}
        staged.put()
    assert set(synced[:-1]) == wanted
    assert synced[-1] == (tmp_path, True)


def test_a_full_disk_leaves_the_old_lake_and_says_what_to_do(tmp_path, monkeypatch):
    def full(_path):
        raise OSError(28, "No space left on device")

    with StagedLake(tmp_path / "lake") as lake:
        lake.commit({"run": 1})
    monkeypatch.setattr(staging, "sync", full)
    with (
        pytest.raises(LakeError, match="No space left on device; free some room"),
        StagedLake(tmp_path / "lake") as lake,
        writing(tmp_path / "lake"),
    ):
        lake.commit({"run": 2})
    assert '"run": 1' in (tmp_path / "lake" / "lake.json").read_text()
    assert hidden(tmp_path) == []


def test_a_file_that_is_made_has_a_short_name_even_for_a_long_one(tmp_path):
    with staged_file(tmp_path / ("n" * 250)) as staged:
        assert staged.path.is_file()
    assert hidden(tmp_path) == []


def test_a_folder_for_a_while_is_its_owners_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(staging.tempfile, "gettempdir", lambda: str(tmp_path))
    with scratch("attribution-test") as made:
        assert mode(made.path) == 0o700
    assert hidden(tmp_path) == []


def test_all_that_is_being_made_can_be_removed_at_once(tmp_path):
    staged = StagedFolder(tmp_path / "lake")
    (staged.path / "file").touch()
    staging.remove_all()
    assert hidden(tmp_path) == []
    staged.path.mkdir()  # a thread that was still at work
    staging.remove_all()
    assert hidden(tmp_path) == []
    staged.close()
