"""Savepoints of other layouts: recognised before a job starts from one, and converted.

State is laid out by the number of key groups, and by the keys of the buckets. A job of 0.1 had 128 key groups, and the
numbers of the buckets as keys. Flink restores no state with another number of key groups.
"""

import argparse
import shutil
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from py4j.protocol import Py4JError
from pyflink.java_gateway import get_gateway

from attribution.errors import AttributionError, ConfigError
from attribution.origins import settings_file
from attribution.schema import FLOW, HEARTBEAT
from attribution.stream.buckets.keyed_state import Entry, header, read_entries, write_entries
from attribution.stream.buckets.placement import MAX_PARALLELISM, bucket_keys, key_groups
from attribution.stream.job.options import StreamOptions
from attribution.stream.topics import INPUT_TOPICS

#: An object of the JVM, which has no types here.
Java = Any

_FILE = "_metadata"
#: The operators whose keys are buckets; the clock has one key, which stays.
_ASK = "ask"
_OF_BUCKETS = ("attribute-local", "attribute-remote", _ASK)
_HOW_TO = "docs/how-to/upgrade.md"


def check_savepoint(location: str) -> None:
    """Pass a savepoint that this version's job can start from, or that cannot be read from here: Flink looks as well.

    Raises:
        ConfigError: its state is laid out otherwise.
    """
    try:
        metadata = _load(location)
    except Py4JError:
        return
    groups = {state.getMaxParallelism() for state in metadata.getOperatorStates() if _handles(state)}
    if groups - {MAX_PARALLELISM}:
        raise ConfigError(
            f"cannot start from {location}: its state is of {min(groups)} key groups, and this version's is of "
            f"{MAX_PARALLELISM}. Convert it: python -m attribution.stream.job.savepoint OLD NEW ({_HOW_TO})"
        )


def convert(old: Path, new: Path, *, buckets: int, drained: bool = False) -> int:
    """Write a savepoint of version 0.1 anew, so that a job of this version can start from it.

    The old savepoint stays as it is. Timers are left out: buckets plan theirs after every start.

    Args:
        old: the folder of a savepoint of the canonical format, which is what Flink makes by default.
        new: the folder to be made.
        buckets: the option `buckets` of the job.
        drained: whether the job was drained, so that all flows are out but those that other regions were asked about.
            Of the state stay these flows, and where flows and heartbeats were read up to. All other evidence is read
            again: what it says holds on, however old it is.

    Returns:
        The number of keys, of all operators, that were moved.

    Raises:
        ConfigError: there is no such savepoint, it needs no conversion, or it is of another format.
    """
    if new.exists():
        raise ConfigError(f"cannot convert to {new}: it is there already; name a folder that is not")
    try:
        metadata = _load(str(old))
    except Py4JError as error:
        raise ConfigError(f"cannot convert {old}: it holds no savepoint that can be read: {_cause(error)}") from None
    states = list(metadata.getOperatorStates())
    keyed = [state for state in states if _handles(state)]
    if not keyed or all(state.getMaxParallelism() == MAX_PARALLELISM for state in keyed):
        raise ConfigError(f"cannot convert {old}: it needs no conversion; start the job from it as it is")
    outdated = {_file_name(handle) for state in keyed for handle in _handles(state)}
    if drained:
        # Time ends for flows that wait for evidence, but not for those that wait for another region.
        keyed = [state for state in keyed if _uid(state) == _ASK]
        states = [state for state in states if state in keyed or not (_handles(state) or _is_read_again(state))]
    rewritten = {id(state): _Rewritten(state, new, buckets=buckets) for state in keyed}
    highest = max((max(one.keys) for one in rewritten.values() if one.of_buckets and one.keys), default=buckets - 1)
    if highest != buckets - 1 and not drained:
        raise ConfigError(_wrong_buckets(highest, buckets))
    shutil.copytree(old, new, ignore=lambda _, names: outdated.intersection(names))
    jvm = get_gateway().jvm
    moved = jvm.java.util.ArrayList()
    for state in states:
        made = _like(state)
        for subtask in range(state.getParallelism()):
            part = state.getState(subtask)
            if id(state) in rewritten:
                made.putState(subtask, rewritten[id(state)].part(part, subtask))
            elif part is not None:
                made.putState(subtask, part)
        moved.add(made)
    _store(metadata, moved, new / _FILE)
    return sum(len(operator.keys) for operator in rewritten.values())


def _is_read_again(state: Java) -> bool:
    """Whether this is the source of a topic that a job reads from the beginning after it was drained."""
    return any(_uid(state).startswith(f"source-{kind}-") for kind in set(INPUT_TOPICS) - {FLOW, HEARTBEAT})


def _wrong_buckets(highest: int, buckets: int) -> str:
    return (
        f"the savepoint has the buckets 0 to {highest}, and the configuration says {buckets}: name the file that the "
        "old job had (--config). If it is the right one, take the savepoint again: its last bucket was at rest"
    )


def _uid(state: Java) -> str:
    return state.getOperatorUid().orElse(None) or ""


class _Rewritten:
    """The keyed state of one operator, with other keys, in files of a new savepoint.

    Args:
        state: the operator's state.
        folder: the folder of the new savepoint.
        buckets: how many there are.

    Attributes:
        keys: the keys of before, those of timers too.
        of_buckets: whether they are buckets.
    """

    def __init__(self, state: Java, folder: Path, *, buckets: int) -> None:
        self._folder, self._workers = folder, state.getParallelism()
        groups = state.getMaxParallelism()
        self._header, self._entries = b"", list[Entry]()
        self.keys: set[int] = set()
        for handle in _handles(state):
            content, offsets = _content(handle)
            found = list(read_entries(content, offsets, groups=groups))
            self.keys |= {entry.key for entry in found}
            entries = [entry for entry in found if entry.value]
            if entries and not self._entries:
                self._header = header(content, offsets)
            # An operator has one state beside its timers; its number is another one in each file.
            self._entries += [replace(entry, state=(self._entries or entries)[0].state) for entry in entries]
        self.of_buckets = _uid(state) in _OF_BUCKETS
        moved = dict(enumerate(bucket_keys(buckets))) if self.of_buckets else {key: key for key in self.keys}
        if self.keys - set(moved):
            raise ConfigError(_wrong_buckets(max(self.keys), buckets))
        self._entries = [replace(entry, key=moved[entry.key]) for entry in self._entries]

    def part(self, part: Java | None, subtask: int) -> Java:
        """The state of one worker, in files of its key groups; `part` is what this worker had before."""
        jvm = get_gateway().jvm
        first = -(-subtask * MAX_PARALLELISM // self._workers)
        last = ((subtask + 1) * MAX_PARALLELISM - 1) // self._workers
        content, offsets = write_entries(
            self._header, self._entries, _group_of, first=first, last=last, groups=MAX_PARALLELISM
        )
        handles = jvm.java.util.ArrayList()
        if any(offsets):
            handles.add(self._written(content, offsets, first, last))
        builder = _class("checkpoint.OperatorSubtaskState").builder() if part is None else part.toBuilder()
        return builder.setManagedKeyedState(_class("checkpoint.StateObjectCollection")(handles)).build()

    def _written(self, content: bytes, offsets: list[int], first: int, last: int) -> Java:
        gateway, jvm = get_gateway(), get_gateway().jvm
        path = self._folder / str(uuid.uuid4())
        path.write_bytes(content)
        file = _class("state.filesystem.RelativeFileStateHandle")(
            jvm.org.apache.flink.core.fs.Path(str(path)), path.name, len(content)
        )
        places = gateway.new_array(jvm.long, len(offsets))
        for number, offset in enumerate(offsets):
            places[number] = offset
        ranges = _class("state.KeyGroupRangeOffsets")(first, last, places)
        return _class("state.KeyGroupsSavepointStateHandle")(ranges, file)


def _group_of(key: int) -> int:
    return int(key_groups(np.array([key], np.uint32))[0])


def _class(name: str) -> Java:
    """A class of Flink's runtime."""
    found = get_gateway().jvm.org.apache.flink.runtime
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _load(location: str) -> Java:
    """What a savepoint says of its operators; the location is its folder, or the file in it."""
    jvm = get_gateway().jvm
    folder = location.removesuffix(f"/{_FILE}")
    path = jvm.org.apache.flink.core.fs.Path(f"{folder}/{_FILE}")
    stream = jvm.java.io.DataInputStream(path.getFileSystem().open(path))
    try:
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        return _class("checkpoint.Checkpoints").loadCheckpointMetadata(stream, loader, folder)
    finally:
        stream.close()


def _store(metadata: Java, states: Java, path: Path) -> None:
    stream = get_gateway().jvm.java.io.FileOutputStream(str(path))
    try:
        made = _class("checkpoint.metadata.CheckpointMetadata")(
            metadata.getCheckpointId(), states, metadata.getMasterStates(), metadata.getCheckpointProperties()
        )
        _class("checkpoint.Checkpoints").storeCheckpointMetadata(made, stream)
    finally:
        stream.close()


def _like(state: Java) -> Java:
    """An operator's state without its workers' parts, with this version's number of key groups."""
    name, uid = state.getOperatorName().orElse(None), state.getOperatorUid().orElse(None)
    made = _class("checkpoint.OperatorState")(name, uid, state.getOperatorID(), state.getParallelism(), MAX_PARALLELISM)
    if state.getCoordinatorState() is not None:
        made.setCoordinatorState(state.getCoordinatorState())
    return made


def _handles(state: Java) -> list[Java]:
    parts = [state.getState(subtask) for subtask in range(state.getParallelism())]
    return [handle for part in parts if part is not None for handle in part.getManagedKeyedState().asList()]


def _content(handle: Java) -> tuple[bytes, list[int]]:
    """A file of keyed state, and where each of its key groups begins."""
    groups, file = handle.getKeyGroupRange(), _file(handle)
    numbers = range(groups.getStartKeyGroup(), groups.getEndKeyGroup() + 1)
    content = bytes(file.getData()) if _is_inline(file) else Path(file.getFilePath().getPath()).read_bytes()
    return content, [handle.getOffsetForKeyGroup(number) for number in numbers]


def _file_name(handle: Java) -> str:
    """The name of a file of keyed state; none if the state stands among what the savepoint says of operators."""
    file = _file(handle)
    return "" if _is_inline(file) else Path(file.getFilePath().getPath()).name


def _file(handle: Java) -> Java:
    if handle.getClass().getSimpleName() != "KeyGroupsSavepointStateHandle":
        raise ConfigError(
            "the state is a checkpoint's, or of Flink's native format: start the old job from it, and stop that job "
            "with a savepoint of the canonical format (flink stop --type canonical)"
        )
    return handle.getDelegateStateHandle()


def _is_inline(file: Java) -> bool:
    return bool(file.getClass().getSimpleName() == "ByteStreamStateHandle")


def _cause(error: Py4JError) -> str:
    cause = getattr(error, "java_exception", None)
    return str(error) if cause is None else str(cause.toString())


def main(arguments: list[str] | None = None) -> None:
    """Convert a savepoint as the arguments say; exit with status 2 and one message where that cannot be."""
    parser = argparse.ArgumentParser(prog="savepoint", description="Convert a savepoint of version 0.1.")
    parser.add_argument("old", type=Path, help="folder of the savepoint of the old job")
    parser.add_argument("new", type=Path, help="folder to be made, from which the new job can start")
    parser.add_argument("--drained", action="store_true", help="the job was drained: keep only where it had come")
    parser.add_argument("--config", type=Path, help="the job's TOML file, whose table [stream] may say `buckets`")
    given = parser.parse_args(arguments)
    try:
        options = StreamOptions.load(settings_file(given.config))
        moved = convert(given.old.resolve(), given.new.resolve(), buckets=options.buckets, drained=given.drained)
    except AttributionError as error:
        sys.stderr.write(f"savepoint: {error}\n")
        sys.exit(2)
    what = "the places in the topics" if given.drained else f"{moved} keys of operators in {MAX_PARALLELISM} key groups"
    sys.stdout.write(f"{given.new}: {what}\n")


if __name__ == "__main__":
    main()
