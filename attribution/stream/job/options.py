"""What the streaming job may be told besides the settings of the rules."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from attribution.config import MINUTE, SECOND, Microseconds, parse_duration
from attribution.errors import ConfigError, unknown_name
from attribution.origins import Given, of_environment, of_file
from attribution.stream.milliseconds import to_ms, to_us

#: What the names of variables begin with; `buckets` is `ATTRIBUTION_STREAM_BUCKETS`.
STREAM_PREFIX = "ATTRIBUTION_STREAM_"


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """How the job runs; none of it changes an answer that evidence forces.

    Attributes:
        buckets: into how many parts addresses and their state are divided; fixed for the life of a state. No operator
            can use a higher parallelism; more buckets make smaller batches.
        report_delay: how long after its end a record may still be reported; watermarks are behind record times by this.
        idle_after: how long a partition may say nothing before the others go on without it.
        give_up_after: how long a flow waits at least, for each side that is attributed, while the watermark stands
            still. Then it goes out with the evidence there is, in the next round of its bucket. That round comes within
            `settle_interval`, or as soon as there is time for it.
        round_interval: shortest time between two releases of one bucket; it grows by itself under load. It makes
            batches dense and results late.
        settle_interval: how often ranges that are over are written and state is compacted, if there is something new.
        rejected_share: share of rejected rows above which the job stops.
        region: the region of this job; none if there is only one region.
        regions: the file that says which prefixes belong to which region; read again when it changes.
        peer_patience: how long a flow to another region waits for that region's answer; then it goes out without one.
    """

    buckets: int = 16
    report_delay: Microseconds = MINUTE
    idle_after: Microseconds = MINUTE
    give_up_after: Microseconds = 10 * MINUTE
    round_interval: Microseconds = SECOND // 5
    settle_interval: Microseconds = MINUTE
    rejected_share: float = 0.1
    region: str = ""
    regions: str = ""
    peer_patience: Microseconds = 20 * MINUTE

    def __post_init__(self) -> None:
        if not 1 <= self.buckets <= 1 << 15:
            raise ConfigError(f"buckets must be 1 to 32768 (Flink's largest parallelism), found {self.buckets!r}")
        if not 0 <= self.rejected_share <= 1:
            raise ConfigError(f"rejected_share must be 0 to 1, found {self.rejected_share!r}")
        if bool(self.region) != bool(self.regions):
            raise ConfigError(f"region and regions go together, found {self.region!r} and {self.regions!r}")
        for name in DURATIONS:
            value = getattr(self, name)
            if value <= 0 or value != to_us(to_ms(value)):
                raise ConfigError(f"{name} must be whole milliseconds, one or more; found {value} µs")

    @classmethod
    def from_dict(cls, values: Mapping[str, object], *, where: str = "options") -> Self:
        """Options of a mapping; durations may be text.

        Args:
            values: option -> value, as a TOML table has them.
            where: where the mapping stood, for messages.

        Raises:
            ConfigError: a key is unknown or a value does not fit.
        """
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ConfigError(unknown_name(where, "option", unknown[0], known))
        read: dict[str, Any] = dict(values)
        read |= {name: parse_duration(read[name]) for name in DURATIONS if name in read}
        try:
            return cls(**read)
        except TypeError as error:
            raise ConfigError(f"{where}: {error}") from None

    @classmethod
    def load(cls, file: Path | None, environment: Mapping[str, str] = os.environ) -> Self:
        """Options of the table `[stream]` of a settings file, and of variables `ATTRIBUTION_STREAM_…`, which win.

        Raises:
            ConfigError: as `from_dict`.
        """
        given = given_options(file, environment)
        where = ", ".join(dict.fromkeys(one.origin for one in given.values()))
        return cls.from_dict({name: one.value for name, one in given.items()}, where=where)


def given_options(file: Path | None, environment: Mapping[str, str] = os.environ) -> dict[str, Given]:
    """What is given of the options.

    Raises:
        ConfigError: the file cannot be read, a key or a variable is unknown, or the text of a number is none.
    """
    known = [f.name for f in fields(StreamOptions)]
    for variable in environment:
        name = variable.removeprefix(STREAM_PREFIX).lower()
        if variable.startswith(STREAM_PREFIX) and name not in known:
            raise ConfigError(unknown_name(f"environment variable {variable}", "option", name, known))
    return of_file(file, "stream", known, "option") | of_environment(STREAM_PREFIX, known, environment, _value_of)


def _value_of(name: str, text: str, variable: str) -> object:
    default = getattr(StreamOptions, name)
    if name in DURATIONS or isinstance(default, str):
        return text
    try:
        return type(default)(text)
    except ValueError:
        raise ConfigError(f"{variable} must be a number, found {text!r}") from None


#: Options that are durations.
DURATIONS = ("report_delay", "idle_after", "give_up_after", "round_interval", "settle_interval", "peer_patience")
