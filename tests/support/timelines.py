"""The timelines of many addresses, for tests that ask whole histories."""

from attribution.core.timeline.address_timeline import AddressTimeline


class Timelines:
    """One timeline an address, by canonical text."""

    def __init__(self, settings):
        self._settings = settings
        self._timelines = {}

    def __len__(self):
        return len(self._timelines)

    def __iter__(self):
        return iter(self._timelines)

    def __getitem__(self, address):
        """The address's timeline; `KeyError` where nothing is known of it."""
        return self._timelines[address]

    def add(self, address, *heartbeat, network=None, claim=None):
        """Add one heartbeat, as `AddressTimeline.add`."""
        if address not in self._timelines:
            self._timelines[address] = AddressTimeline(address, self._settings)
        self._timelines[address].add(*heartbeat, network=network, claim=claim)

    def ask(self, address, *flow, **more):
        """Who held the address for a flow, as `AddressTimeline.ask`."""
        timeline = self._timelines.get(address) or AddressTimeline(address, self._settings)
        return timeline.ask(*flow, **more)

    def forget(self, before):
        """Drop heartbeats that end before a moment (µs), and the addresses of which nothing is left."""
        self._timelines = {address: one for address, one in self._timelines.items() if one.forget(before)}
