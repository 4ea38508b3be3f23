"""Jars are what the lock says, or an error."""

import json

import pytest

from attribution.errors import ClusterError
from attribution.testbed.cluster import jars as module
from attribution.testbed.cluster.jars import LOCK, SETS, jars

SMALL = "org.jspecify:jspecify:1.0.0"  # a few kilobytes of annotations
PATH = "org/jspecify/jspecify/1.0.0/jspecify-1.0.0.jar"


@pytest.fixture
def locked(tmp_path):
    """A lock file that holds one small jar."""

    def lock(coordinate=SMALL, sha256=None):
        sha256 = sha256 or json.loads(LOCK.read_text())["broker"][SMALL]
        file = tmp_path / "lock.json"
        file.write_text(json.dumps({"some": {coordinate: sha256}}))
        return file

    return lock


def test_the_lock_names_what_is_pinned_first_in_each_set():
    locked = json.loads(LOCK.read_text())
    assert {name: tuple(locked[name])[: len(SETS[name])] for name in locked} == SETS


def test_a_jar_that_is_not_there_is_fetched_and_one_that_is_damaged_is_fetched_again(tmp_path, locked):
    (file,) = jars("some", lock=locked(), folder=tmp_path / "cache")
    assert file == tmp_path / "cache" / PATH
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    assert jars("some", lock=locked(), folder=tmp_path / "cache") == [file]
    assert file.read_bytes() == whole


def test_a_set_of_jars_can_be_put_where_an_image_has_them(tmp_path):
    module.main(["copy", "connector", str(tmp_path / "lib")])
    assert [file.name for file in (tmp_path / "lib").iterdir()] == [file.name for file in jars("connector")]


def test_a_jar_that_is_there_needs_no_network(tmp_path, locked, monkeypatch):
    jars("some", lock=locked(), folder=tmp_path / "cache")
    monkeypatch.setattr(module.MavenContext, "project", None)
    assert jars("some", lock=locked(), folder=tmp_path / "cache") == [tmp_path / "cache" / PATH]


def test_a_jar_that_is_another_than_was_locked_is_refused_and_not_kept(tmp_path, locked):
    with pytest.raises(ClusterError, match=f"{SMALL} is not the jar that was locked: SHA-256 .*, expected 00"):
        jars("some", lock=locked(sha256="00"), folder=tmp_path / "cache")
    assert not (tmp_path / "cache" / PATH).exists()


def test_a_jar_that_cannot_be_fetched_says_where_it_could_be_put(tmp_path, locked):
    with pytest.raises(ClusterError, match=r"cannot fetch org.jspecify:jspecify:0.0.0 into .*ATTRIBUTION_JARS"):
        jars("some", lock=locked("org.jspecify:jspecify:0.0.0"), folder=tmp_path / "cache")
