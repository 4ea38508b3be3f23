"""`attribution config`, and settings of variables: which of them wins, and what is said of those that will not do."""

import json
import tomllib

import pytest
from verbs import csv_rows, ok, run

from attribution.config import Settings
from attribution.errors import ConfigError
from attribution.origins import given_settings, settings_of
from attribution.stream.job.options import StreamOptions

RULES = '[attribution]\nmax_gap = "2m"\nhold = "7m"\nworkload_prefixes = ["10.0.0.0/8"]\n[stream]\nbuckets = 4\n'


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


def shown(*arguments):
    rows = json.loads(ok("config", "--show", "--format", "json", *arguments))
    return {(row["table"], row["setting"]): (row["value"], row["from"]) for row in rows}


def test_an_option_wins_over_a_variable_over_the_file_over_the_default(file, monkeypatch):
    monkeypatch.setenv("ATTRIBUTION_HOLD", "8m")
    monkeypatch.setenv("ATTRIBUTION_RETENTION", "2d")
    monkeypatch.setenv("ATTRIBUTION_STREAM_REGION", "")
    monkeypatch.setenv("ATTRIBUTION_STREAM_REJECTED_SHARE", "0.5")
    found = shown("--config", file, "--retention", "3d")
    assert found["attribution", "retention"] == ("3d", "--retention")
    assert found["attribution", "hold"] == ("8m", "ATTRIBUTION_HOLD")
    assert found["attribution", "max_gap"] == ("2m", str(file))
    assert found["attribution", "workload_prefixes"] == (["10.0.0.0/8"], str(file))
    assert found["attribution", "clock_tolerance"] == ("1s", "default")
    assert found["stream", "buckets"] == (4, str(file))
    assert found["stream", "rejected_share"] == (0.5, "ATTRIBUTION_STREAM_REJECTED_SHARE")
    assert {name for table, name in found if table == "attribution"} == set(vars(Settings()))


def test_every_setting_may_be_a_variable():
    settings = Settings(
        max_gap=61_000_001, hold=300_000_000, one_space=True, ephemeral_ports="1024-2000",
        routes=("a,b", "a,c,10.0.0.0/8"),
        shared_resolvers=("10.0.0.53=10.0.0.0/8",), shared_prefixes=("10.1.0.0/16", "fd00::/8"),
    )  # fmt: skip
    written = {
        f"ATTRIBUTION_{name.upper()}": " ; ".join(value) if isinstance(value, list) else str(value)
        for name, value in settings.to_dict().items()
    }
    # Durations have a unit in text.
    written = {name: f"{value}us" if value.isdigit() else value for name, value in written.items()}
    assert settings_of(given_settings(None, {}, written)) == settings
    found = StreamOptions.load(None, {"ATTRIBUTION_STREAM_BUCKETS": "32", "ATTRIBUTION_STREAM_IDLE_AFTER": "5s"})
    assert found == StreamOptions(buckets=32, idle_after=5_000_000)


def test_a_run_takes_variables_and_the_file_that_one_names(file, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRIBUTION_CONFIG", str(file))
    monkeypatch.setenv("ATTRIBUTION_MAX_GAP", "90s")
    flow = {"start": 1_767_225_600_000_000, "end": 1_767_225_600_000_001}
    (tmp_path / "flows").write_text(json.dumps(flow | {"local_address": "10.0.0.1", "remote_address": "10.0.0.2"}))
    ok("replay", "--flows", tmp_path / "flows", "--out", tmp_path / "lake", "--retention", "2d")
    settings = json.loads((tmp_path / "lake" / "lake.json").read_text())["settings"]
    assert (settings["max_gap"], settings["hold"], settings["retention"]) == (90_000_000, 420_000_000, 172_800_000_000)


def test_the_answer_in_toml_is_a_settings_file(file, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTRIBUTION_KAFKA_BOOTSTRAP_SERVERS", "b:9092")
    monkeypatch.setenv("ATTRIBUTION_ROUTES", 'a"x,b')
    text = ok("config", "--config", file, "--one-space", "--format", "toml")
    (tmp_path / "again.toml").write_text(text)
    assert tomllib.loads(text).keys() == {"attribution", "stream", "kafka"}
    monkeypatch.delenv("ATTRIBUTION_KAFKA_BOOTSTRAP_SERVERS")
    monkeypatch.delenv("ATTRIBUTION_ROUTES")
    assert ok("config", "--config", tmp_path / "again.toml", "--format", "toml") == text
    assert Settings.from_toml(tmp_path / "again.toml").routes == ('a"x,b',)


def test_secrets_are_not_shown(tmp_path, monkeypatch):
    path = tmp_path / "kafka.toml"
    path.write_text('[kafka]\nbootstrap_servers = "b:1"\nsecurity_protocol = "SASL_SSL"\nsasl_mechanism = "PLAIN"\n')
    monkeypatch.setenv("ATTRIBUTION_KAFKA_USERNAME", "somebody")
    monkeypatch.setenv("ATTRIBUTION_KAFKA_PASSWORD", "sesame")
    for format_ in ("table", "json", "csv", "toml"):
        told = ok("config", "--show", "--kafka-config", path, "--format", format_)
        assert "SASL_SSL" in told
        assert "sesame" not in told
        assert "somebody" not in told
    rows = csv_rows(ok("config", "--show", "--kafka-config", path, "--format", "csv"))
    assert {"table": "kafka", "setting": "password", "value": "(hidden)", "from": "ATTRIBUTION_KAFKA_PASSWORD"} in rows


def test_without_a_wish_to_see_them_they_are_checked(file):
    assert ok("config", "--config", file) == f"The settings will do. They come from {file}, defaults.\n"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ATTRIBUTION_MAX_GAB", "5m", "ATTRIBUTION_MAX_GAB is no setting; did you mean ATTRIBUTION_MAX_GAP?"),
        ("ATTRIBUTION_ROUTE", "a,b", "did you mean ATTRIBUTION_ROUTES?"),
        ("ATTRIBUTION_WORKLOAD_PREFIX", "10.0.0.0/8", "did you mean ATTRIBUTION_WORKLOAD_PREFIXES?"),
        ("ATTRIBUTION_HOLD", "soon", "ATTRIBUTION_HOLD: hold: cannot read the duration 'soon'"),
        ("ATTRIBUTION_HOLD", "1s", "(hold stands in ATTRIBUTION_HOLD)"),
        ("ATTRIBUTION_ONE_SPACE", "maybe", "ATTRIBUTION_ONE_SPACE must be true or false"),
        ("ATTRIBUTION_STREAM_BUCKET", "4", "unknown option 'bucket'; the options are"),
        ("ATTRIBUTION_STREAM_BUCKETS", "many", "ATTRIBUTION_STREAM_BUCKETS must be a number"),
        ("ATTRIBUTION_CONFIG", "/nowhere/rules.toml", "cannot read the configuration /nowhere/rules.toml"),
        ("ATTRIBUTION_KAFKA_PASSWORT", "x", "did you mean password"),
    ],
)
def test_a_variable_that_will_not_do_is_named(variable, value, said, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as raised:
        raise run("config").exception
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "variable",
    ["ATTRIBUTION_JARS", "ATTRIBUTION_SERVICE_HOST", "ATTRIBUTION_PORT_80_TCP", "ATTRIBUTION_PORT", "ATTRIBUTIONS",
     "ATTRIBUTION_TEAM", "ATTRIBUTION_HOST", "_ATTRIBUTION_COMPLETE"],
)  # fmt: skip
def test_variables_of_others_are_left_alone(variable, monkeypatch):
    monkeypatch.setenv(variable, "x")
    assert ok("config") == "The settings will do. They come from defaults.\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[attribution]\nmax_gab = "3m"\n', "[attribution]: unknown setting 'max_gab'; the settings are"),
        ('[attribution]\nmax_gab = "3m"\n', "; did you mean max_gap or max_lag?"),
        ("[stream]\nbucket = 3\n", "[stream]: unknown option 'bucket'; the options are"),
        ("[stream]\nbucket = 3\n", "; did you mean buckets?"),
        ('[kafka]\nbootstrap_server = "b:1"\n', "; did you mean bootstrap_servers"),
        ('[attribution]\nhold = "soon"\n', "rules.toml: hold: cannot read the duration 'soon'"),
        ("[attribution]\nhold = 3.5\n", "cannot read the duration 3.5"),
        ("[attribution]\nroutes = 3\n", "rules.toml: routes must be a list of texts"),
    ],
)
def test_a_file_that_will_not_do_is_refused_with_the_fault(text, said, file):
    file.write_text(text)
    result = run("config", "--config", file)
    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)
