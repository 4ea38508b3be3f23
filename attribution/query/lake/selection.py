"""Which flows a question is about, as one object that questions take and that the command line makes its options from.

To add a filter, write two things:

1. A field in `Selection` below, whose annotation holds an `Option`. The name of the field is also the name of the
   parameter in SQL. The `Option` has the flag, the help, and what SQL binds for the value of the field.
2. A condition on that parameter in `sql/filtered.sql`. The parameter is null if nobody filters by it.

Every question about flows then has the filter, and so has every verb that takes a selection.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_type_hints

from attribution.core.reasons import METHODS, REASONS
from attribution.errors import BadValueError
from attribution.query.lake.protocols import LARGEST_PORT, protocol_number
from attribution.query.lake.window import Window


def globs(values: tuple[str, ...]) -> str | None:
    """One regular expression (RE2) that matches what any of the globs does; `*` is any text, `?` any one character."""
    if not values:
        return None
    return "(?s)" + "|".join("(?:" + "".join(_wildcard(character) for character in glob) + ")" for glob in values)


def port_numbers(values: tuple[int, ...]) -> list[int] | None:
    """The ports themselves.

    Raises:
        QueryError: one of them is no port.
    """
    for port in values:
        if not 0 <= port <= LARGEST_PORT:
            raise BadValueError(f"cannot filter by port {port}: ports are 0 to {LARGEST_PORT}")
    return list(values) or None


def protocol_numbers(values: tuple[str | int, ...]) -> list[int] | None:
    """The IANA numbers of protocols that are given by name or number.

    Raises:
        QueryError: one of them is no protocol.
    """
    return [protocol_number(protocol) for protocol in values] or None


def one_of(what: str, known: Iterable[str]) -> Callable[[tuple[str, ...]], list[str] | None]:
    """What takes values of a closed list alone; its errors call a value `what`."""
    names = tuple(known)

    def bind(values: tuple[str, ...]) -> list[str] | None:
        for value in values:
            if value not in names:
                raise BadValueError(f"cannot filter by {what} {value!r}: the {what}s are {', '.join(names)}")
        return list(values) or None

    return bind


def itself(value: object) -> object:
    """The value as it is."""
    return value


@dataclass(frozen=True)
class Option:
    """How one field of a selection is asked for.

    Attributes:
        flag: as the command line has it.
        help: what it does, for a person.
        bind: gives the value that SQL binds for that of the field, null where the field selects nothing. It raises a
            `QueryError` where no flow can have the value.
        metavar: what stands for a value in the help.
        choices: the values that there are, where they are a closed list.
        short: a flag of one letter beside the other.
    """

    flag: str
    help: str
    bind: Callable[[Any], object] = itself
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    short: str | None = None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The flows that meet all conditions, each by any one of its values; an empty condition holds for every flow.

    Attributes:
        window: when the flow starts; text as in `window.parse_window`.
        services: names of services (of workloads that have none), of either end; `*` and `?` stand for any text and any
            one character.
        ports: the server's port where the flow is directed, either end's port otherwise.
        protocols: IANA protocols, by name or number.
        regions, data_centres: where the flow was logged, with `*` and `?`.
        methods: where the answer for either end came from.
        reasons: why either end was attributed so, or was not.
        clients_by_port: where no log says who opened a flow, take the end with the lower, service-like port for the
            server. A guess, so off by default: such flows then have no direction.

    Raises:
        QueryError: a value cannot hold for any flow.
    """

    window: Annotated[
        Window | str | None,
        Option(
            "--window",
            "Only flows that start in this window: ISO 8601, or back from the last flow of the lake: -1h, -2h..-1h.",
            metavar="FROM..TO",
            short="-w",
        ),
    ] = None
    services: Annotated[
        tuple[str, ...],
        Option("--service", "Only flows with this service at either end, with * and ?; repeatable.", globs, "GLOB"),
    ] = ()
    ports: Annotated[
        tuple[int, ...], Option("--port", "Only flows to this port of the server; repeatable.", port_numbers)
    ] = ()
    protocols: Annotated[
        tuple[str | int, ...],
        Option(
            "--protocol",
            "Only flows of this protocol, like tcp, udp or 47; repeatable.",
            protocol_numbers,
            "NAME|NUMBER",
        ),
    ] = ()
    regions: Annotated[
        tuple[str, ...],
        Option("--region", "Only flows that were logged in this region, with * and ?; repeatable.", globs, "GLOB"),
    ] = ()
    data_centres: Annotated[
        tuple[str, ...],
        Option(
            "--data-centre", "Only flows that were logged in this data centre, with * and ?; repeatable.", globs, "GLOB"
        ),
    ] = ()
    methods: Annotated[
        tuple[str, ...],
        Option(
            "--method",
            f"Only flows with an end that this method answered: {', '.join(METHODS)}; repeatable.",
            one_of("method", METHODS),
            "METHOD",
            choices=tuple(METHODS),
        ),
    ] = ()
    reasons: Annotated[
        tuple[str, ...],
        Option(
            "--reason",
            f"Only flows with an end of this reason. Repeatable. One of: {', '.join(REASONS)}.",
            one_of("reason", REASONS),
            "REASON",
            choices=tuple(REASONS),
        ),
    ] = ()
    clients_by_port: Annotated[
        bool,
        Option("--clients-by-port", "If no log says who opened a flow, guess: the lower port is the server's."),
    ] = False

    def __post_init__(self) -> None:
        self._bound()

    def parameters(self, window: Window) -> dict[str, object]:
        """The parameters that SQL binds, by name.

        Args:
            window: that of the selection, as it is on the lake.
        """
        return {**window.parameters(), **self._bound()}

    def _bound(self) -> dict[str, object]:
        options = options_of(type(self))
        return {name: option.bind(getattr(self, name)) for name, option in options.items() if name != "window"}


def options_of(selection: type[Selection]) -> dict[str, Option]:
    """The options of the fields of a selection, in order."""
    hints = get_type_hints(selection, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(selection)}


def _wildcard(character: str) -> str:
    return {"*": ".*", "?": "."}.get(character) or re.escape(character)


#: Every flow.
EVERY_FLOW = Selection()
