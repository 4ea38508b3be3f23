"""What runs until it is stopped finishes its work on the first signal, and ends at once on the second."""

import signal

import pytest

from attribution.cli.stopping import finish_on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number):
    def ended(*_):
        raise KeyboardInterrupt

    kept = {one: signal.signal(one, ended) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        stopped = finish_on_signals()
        assert not stopped.is_set()
        signal.raise_signal(number)
        assert stopped.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)
