"""Settings files: one may hold the tables of everything; what is in no table is an error that names it."""

import pytest

from attribution.config import SECOND, Settings, read_tables
from attribution.errors import ConfigError
from attribution.stream.kafka.settings import KafkaSettings


def test_one_file_serves_the_rules_the_job_and_the_clients(tmp_path):
    path = tmp_path / "all.toml"
    path.write_text('[attribution]\nmax_gap = "45s"\n[stream]\nbuckets = 4\n[kafka]\nbootstrap_servers = "b:9092"\n')
    assert Settings.from_toml(path).max_gap == 45 * SECOND
    assert read_tables(path)["stream"] == {"buckets": 4}
    assert KafkaSettings.load(path, environment={}).bootstrap_servers == "b:9092"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('max_gap = "45s"\n', "all.toml: unknown table or key 'max_gap'; settings stand in the tables"),
        ("[rules]\n", "unknown table or key 'rules'"),
        ("attribution = 3\n", "unknown table or key 'attribution'"),
        ("[attribution]\nmax_gap = 45s\n", "is no TOML"),
        ("[attribution]\nmax_gab = 45\n", r"all.toml, \[attribution\]: unknown"),
    ],
)
def test_what_is_wrong_with_a_settings_file_is_said(tmp_path, text, message):
    path = tmp_path / "all.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        Settings.from_toml(path)


def test_a_settings_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*absent.toml"):
        read_tables(tmp_path / "absent.toml")
