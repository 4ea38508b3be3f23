"""The `attribution replay` command for what was inspected: each path under the option of what is in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from attribution.inspection.log_file import LogFile
from attribution.records import BY_NAME, INPUT_RECORDS
from attribution.schema import FLOW, LABEL, POLICY, SOCKET_RULE
from attribution.sources.input.paths import STDIN, expand, name_of
from attribution.sources.inputs import Inputs

#: Files of one path that are named one by one where one option does not fit all of them.
_ONE_BY_ONE = 20
_CONFIGURATION = {LABEL, POLICY, SOCKET_RULE}


def replay_command(inputs: Inputs, files: Sequence[LogFile]) -> list[str]:
    """The words of the command; empty if there are no flows.

    Args:
        inputs: what was inspected, as flows.
        files: what is in it.
    """
    if not any(FLOW in file.read for file in files):
        return []
    # A log without records may say something about those of others, as Zeek's ssl.log.
    with_flows = {file.format for file in files if FLOW in file.read}
    kinds = {
        file.name: file.given_as or (FLOW if file.format in with_flows and not file.same_as else None)
        for file in files
        if file.readable
    }
    options: dict[str, list[str]] = {kind: [] for kind in INPUT_RECORDS}
    for path in inputs.of(FLOW):
        for kind, given in _sorted(path, kinds):
            if given not in options[kind]:
                options[kind].append(given)
    words = ["attribution", "replay"]
    for kind, chosen in options.items():
        words += [word for path in chosen for word in (BY_NAME[kind].option, path)]
    return [*words, *inputs.options_by_path(), "--out", "lake"]


def _sorted(path: str | Path, kinds: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """The kinds as which a path is given, each with the path, or with files of it where they are of several kinds."""
    names = [name_of(file) for file in expand([path])]
    found = {name: kind for name in names if (kind := kinds.get(name)) is not None}
    several = set(found.values())
    if not found:
        return []
    # Sources of flows may hold other records, too. Configuration has options of its own, which say more.
    together = len(several) == 1 or (FLOW in several and several.isdisjoint(_CONFIGURATION))
    if together and kinds.keys() >= set(names):
        return [(FLOW if FLOW in several else min(several), str(path))]
    if len(found) <= _ONE_BY_ONE:
        return [(kind, STDIN if str(path) == STDIN else name) for name, kind in found.items()]
    configuration = [(kind, name) for name, kind in found.items() if kind in _CONFIGURATION]
    return [(FLOW if FLOW in several else min(several), str(path)), *configuration]
