"""Hypothesis profiles and the flag that rewrites the expected rows of the golden cases."""

import pytest
from hypothesis import HealthCheck, settings

# Generated cases are small, but one case may run the whole pipeline several times: no deadline per case.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("quick", max_examples=40, **_COMMON)
settings.register_profile("thorough", max_examples=2_000, **_COMMON)
# `--hypothesis-profile=thorough` is applied after this file is read, and wins.
settings.load_profile("quick")


def pytest_addoption(parser):
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="rewrite expected.jsonl of every golden case from the oracle; review the difference before committing it",
    )


@pytest.fixture
def update_goldens(request):
    return request.config.getoption("--update-goldens")
