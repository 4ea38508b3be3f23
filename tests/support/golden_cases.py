"""The golden cases: every folder of tests/golden that has a flows.jsonl."""

import json
import tomllib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

from oracle import Evidence, Settings
from records import from_row

from attribution import config, schema

FOLDER = Path(__file__).parents[1] / "golden"


@dataclass(frozen=True)
class GoldenCase:
    folder: Path

    def rows(self, file):
        path = self.folder / file
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    @cached_property
    def flows(self):
        return [from_row(schema.FLOW, row) for row in self.rows("flows.jsonl")]

    @cached_property
    def evidence(self):
        return Evidence(
            tuple(from_row(schema.HEARTBEAT, row) for row in self.rows("heartbeats.jsonl")),
            tuple(from_row(schema.ASSIGNMENT, row) for row in self.rows("assignments.jsonl")),
            tuple(from_row(schema.NAME_BINDING, row) for row in self.rows("name_bindings.jsonl")),
            tuple(from_row(schema.LABEL, row) for row in self.rows("labels.jsonl")),
            tuple(from_row(schema.POLICY, row) for row in self.rows("policies.jsonl")),
            tuple(from_row(schema.SOCKET_RULE, row) for row in self.rows("socket_rules.jsonl")),
        )

    @cached_property
    def settings(self):
        path = self.folder / "settings.toml"
        values = tomllib.loads(path.read_text(encoding="utf-8"))["attribution"] if path.exists() else {}
        read = config.Settings.from_dict(values)
        return Settings(**{f.name: getattr(read, f.name) for f in fields(Settings)})

    @property
    def expected(self):
        return self.rows("expected.jsonl")

    @property
    def about(self):
        return (self.folder / "README.md").read_text(encoding="utf-8")


CASES = [GoldenCase(path.parent) for path in sorted(FOLDER.glob("*/flows.jsonl"))]


def case_name(case):
    return case.folder.name
