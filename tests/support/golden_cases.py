"""The golden cases: every folder of tests/golden that has a flows.jsonl."""

import json
import tomllib
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

from oracle import Evidence, Settings, evidence_of_flows
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
    def known(self):
        """The evidence, and what the flows are evidence of if they are."""
        if not self.flows_are_evidence:
            return self.evidence
        seen = (*self.evidence.heartbeats, *evidence_of_flows(self.flows, self.settings))
        return replace(self.evidence, heartbeats=seen, flows=tuple(self.flows))

    @cached_property
    def _tables(self):
        path = self.folder / "settings.toml"
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    @property
    def flows_are_evidence(self):
        return self._tables.get("case", {}).get("flows_are_evidence", False)

    @property
    def span(self):
        """What the flows are as heartbeats."""
        return "interval" if self.flows_are_evidence else "none"

    @cached_property
    def settings(self):
        read = config.Settings.from_dict(self._tables.get("attribution", {}))
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
