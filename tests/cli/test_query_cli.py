"""What `graph`, `talkers`, `whois` and `explain` have in common: help, errors, empty lakes."""

import pytest
from tiny_lake import write_lake
from verbs import ok, run

from attribution.errors import LakeError, QueryError

VERBS = ("graph", "talkers", "whois", "explain")


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples(verb):
    text = ok(verb, "--help")
    assert "Examples:" in text
    assert f"  attribution {verb} lake" in text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("graph", "no/such/lake"), LakeError),
        (("talkers", "no/such/lake"), LakeError),
        (("whois", "no/such/lake", "10.0.0.1"), LakeError),
        (("explain", "no/such/lake", "--local", "10.0.0.1"), LakeError),
    ],
)
def test_errors_of_the_package_reach_the_main_command(arguments, error):
    assert isinstance(run(*arguments).exception, error)
    assert isinstance(run("graph", "no/such/lake", "--port", "70000").exception, QueryError)


@pytest.mark.parametrize("verb", VERBS)
def test_an_empty_lake_is_no_error(tmp_path, verb):
    empty = write_lake(tmp_path / "empty")
    more = {"whois": ["10.0.0.1"], "explain": ["--local", "10.0.0.1"]}.get(verb, [])
    result = run(verb, empty, *more)
    if verb == "explain":
        assert isinstance(result.exception, QueryError)
        return
    assert result.exit_code == 0
    assert "o flows" in result.output or "nothing is known" in result.output
    for format_ in ("json", "csv"):
        assert run(verb, empty, *more, "--format", format_).exit_code == 0
