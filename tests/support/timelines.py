"""The timelines of many addresses, for tests that ask whole histories."""

from ipaddress import ip_address, ip_network

from attribution.core.timeline.timeline import Timeline


class Timelines:
    """One timeline an address, by canonical text."""

    def __init__(self, settings):
        self._settings = settings
        self._translated = [ip_network(prefix) for prefix in settings.translated_prefixes]
        self._timelines = {}

    def __len__(self):
        return len(self._timelines)

    def __iter__(self):
        return iter(self._timelines)

    def __getitem__(self, address):
        """The address's timeline; `KeyError` where nothing is known of it."""
        return self._timelines[address]

    def add(self, address, socket, workload, service, start, end):
        """Add one heartbeat, as `Timeline.add`."""
        if address not in self._timelines:
            translated = any(ip_address(address) in prefix for prefix in self._translated)
            self._timelines[address] = Timeline(self._settings, translated=translated)
        self._timelines[address].add(socket, workload, service, start, end)

    def ask(self, address, socket, start, end, *, basis="connection"):
        """Who held the address for a flow, as `Timeline.ask`."""
        timeline = self._timelines.get(address) or Timeline(self._settings)
        return timeline.ask(socket, start, end, basis=basis)

    def forget(self, before):
        """Drop heartbeats that end before a moment (µs), and the addresses of which nothing is left."""
        self._timelines = {address: one for address, one in self._timelines.items() if one.forget(before)}
