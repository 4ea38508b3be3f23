"""Where the input of a run stands: paths for each kind of record."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from attribution.records import BY_NAME, INPUT_RECORDS
from attribution.schema import FLOW
from attribution.sources.given import PLURALS
from attribution.sources.mapping.given import GivenMappings, MappingOf
from attribution.sources.networks import GivenNetworks, NetworkOf
from attribution.sources.request_times import GivenRequestTimes, SeenAt

#: Files, folders, glob patterns, or `-` for standard input.
Paths = Sequence[str | Path]


class Inputs:
    """Paths by kind of record; each kind is given by its plural, as on the command line.

    `Inputs(flows=["logs"], heartbeats=["pods.json"], format="native")` reads flows, and the heartbeats among them, from
    `logs`, and more heartbeats from `pods.json`. What else may stand in such a file says `RecordKind.also`.

    Args:
        format: read everything as this format; by default the content of each file says its format.
        networks: networks of what names none, as `attribution.sources.given` writes them: `east`,
            `heartbeats=east`, `logs/east=east`.
        seen_at: when requests began whose answers are read, written likewise: `pods.json=2026-03-02T10:00:00Z`.
        mappings: mapping files of what no format describes, written likewise: `flows=firewall.toml`.
        paths: plural of a kind of `attribution.records.INPUT_RECORDS` -> its paths.

    Raises:
        TypeError: there is no kind with such a plural, or one path stands where a list of paths is expected.
    """

    def __init__(
        self,
        *,
        format: str | None = None,  # noqa: A002 - as the option is called
        networks: Sequence[str] = (),
        seen_at: Sequence[str] = (),
        mappings: Sequence[str] = (),
        **paths: Paths,
    ) -> None:
        plurals = {BY_NAME[name].plural: name for name in INPUT_RECORDS}
        if unknown := sorted(paths.keys() - plurals.keys()):
            raise TypeError(
                f"Inputs takes {', '.join(plurals)} format, networks, seen_at and mappings, not {', '.join(unknown)}"
            )
        for plural, given in {**paths, "networks": networks, "seen_at": seen_at, "mappings": mappings}.items():
            # The letters of a text would be taken for paths.
            if isinstance(given, str | Path):
                of = "paths" if plural in plurals else "texts"
                raise TypeError(f"Inputs takes a list of {of} as {plural}, not {given!r}; write [{str(given)!r}]")
        self.format = format
        self.networks = tuple(networks)
        self.seen_at = tuple(seen_at)
        self.mappings = tuple(mappings)
        self._paths = {plurals[plural]: tuple(given) for plural, given in paths.items()}

    def __bool__(self) -> bool:
        return any(self._paths.values())

    def of(self, kind: str) -> Paths:
        """The paths that were given for a kind."""
        return self._paths.get(kind, ())

    def network_of(self, kind: str) -> NetworkOf:
        """The networks that were given to the sources of a kind.

        Raises:
            ConfigError: what was given as `networks` is none, or names no input.
            SourceError: an input cannot be found.
        """
        return self._given_networks.of(kind)

    def seen_at_of(self, kind: str) -> SeenAt:
        """When the requests began whose answers are the sources of a kind; raises as `network_of`."""
        return self._given_request_times.of(kind)

    def mapping_of(self, kind: str) -> MappingOf:
        """The formats of the sources of a kind that were given a mapping file; raises as `network_of`."""
        return self._given_mappings.of(kind)

    def options_by_path(self) -> list[str]:
        """What was said of the sources, as options for a command that may give the paths as other kinds.

        >>> Inputs(flows=["a", "b"], networks=["flows=east", "west"]).options_by_path()
        ['--network', 'a=east', '--network', 'b=east', '--network', 'west']
        """
        words = []
        for option, texts in (("--network", self.networks), ("--seen-at", self.seen_at), ("--mapping", self.mappings)):
            for text in texts:
                place, _, value = text.rpartition("=")
                kind = PLURALS.get(place.strip().replace("-", "_"))
                given = [text] if kind is None else [f"{path}={value.strip()}" for path in self.of(kind)]
                words += [word for each in given for word in (option, each)]
        return [*words, "--input-format", self.format] if self.format else words

    @cached_property
    def _given_request_times(self) -> GivenRequestTimes:
        return GivenRequestTimes(self.seen_at, self._paths)

    @cached_property
    def _given_mappings(self) -> GivenMappings:
        return GivenMappings(self.mappings, self._paths)

    @cached_property
    def _given_networks(self) -> GivenNetworks:
        return GivenNetworks(self.networks, self._paths)

    def sources(self, *, of: Sequence[str] = INPUT_RECORDS) -> list[tuple[str, Paths, tuple[str, ...]]]:
        """For each kind that was given: the kind, its paths, and the kinds to read there.

        Args:
            of: the kinds that the run takes. Files that are given as flows may hold any of them.
        """
        found = []
        for kind in INPUT_RECORDS:
            if paths := self.of(kind):
                read = tuple(of) if kind == FLOW else BY_NAME[kind].read_as
                found.append((kind, paths, tuple(name for name in read if name in of)))
        return found
