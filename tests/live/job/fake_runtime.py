"""What Flink calls operators with: a state, timers and metrics that a test looks into."""

from types import SimpleNamespace


class Metrics:
    """A metric group that can be asked: `values` has what each counter was told, and the gauges' functions."""

    def __init__(self, values=None, scope=""):
        self.values = {} if values is None else values
        self._scope = scope

    def add_group(self, name):
        return Metrics(self.values, f"{self._scope}{name}.")

    def counter(self, name):
        told = self.values.setdefault(self._scope + name, [])
        return SimpleNamespace(inc=lambda count=1: told.append(count))

    def gauge(self, name, function):
        self.values[self._scope + name] = function

    def counted(self):
        """The counters that are not 0, at the end of a bundle."""
        for shown in self.values.values():
            if callable(shown):
                shown()
        sums = {name: sum(told) for name, told in self.values.items() if isinstance(told, list)}
        return {name: count for name, count in sums.items() if count}

    def shown(self, name):
        return self.values[name]()


class State(list):
    """A list state."""

    def get(self):
        return list(self)

    def add(self, value):
        self.append(value)

    def update(self, values):
        self[:] = values


class States(dict):
    """A map state."""

    put = dict.__setitem__


class Runtime:
    """What an operator is opened with, and what it is called with: one key, its state and its timers."""

    def __init__(self, log=(), times=()):
        self.log = State(log)
        self.times = States(times)
        self.metrics = Metrics()
        self.now = 1_000
        self.watermark = 0
        self.event_timers, self.round_timers = set(), set()

    def get_list_state(self, _descriptor):
        return self.log

    def get_map_state(self, _descriptor):
        return self.times

    def get_metrics_group(self):
        return self.metrics

    def timer_service(self):
        return SimpleNamespace(
            current_processing_time=lambda: self.now,
            current_watermark=lambda: self.watermark,
            register_event_time_timer=self.event_timers.add,
            register_processing_time_timer=self.round_timers.add,
        )

    def get_current_key(self):
        return 0

    def fire(self, operator, at, domain):
        context = SimpleNamespace(
            timer_service=self.timer_service, get_current_key=self.get_current_key, time_domain=lambda: domain
        )
        return list(operator.on_timer(at, context))


def opened(operator, runtime):
    operator.open(runtime)
    return operator
