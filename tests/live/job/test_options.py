"""Options of the streaming job."""

import pytest

from attribution.config import SECOND
from attribution.errors import ConfigError
from attribution.stream.job.options import StreamOptions


def test_durations_may_be_text():
    found = StreamOptions.from_dict({"report_delay": "90s", "buckets": 4})
    assert found == StreamOptions(report_delay=90 * SECOND, buckets=4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bucket": 1}, "unknown option 'bucket'"),
        ({"buckets": 0}, "buckets must be"),
        ({"buckets": "many"}, "stream: "),
        ({"report_delay": "10us"}, "whole milliseconds"),
        ({"rejected_share": 2}, "0 to 1"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        StreamOptions.from_dict(values, where="stream")
