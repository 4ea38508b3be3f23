"""A field of each Avro type, added to `schemas/*.avsc` and nowhere else, is read, validated and written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from added_fields import ADDED

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def copy(tmp_path):
    """A copy of the package in which flows and assignments have the added fields."""
    shutil.copytree(ROOT / "attribution", tmp_path / "attribution", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    for kind in ("flow", "attributed_flow", "assignment"):
        path = tmp_path / "schemas" / f"{kind}.avsc"
        record = json.loads(path.read_text())
        for name, avro in ADDED.items():
            nullable = kind == "attributed_flow" or name.endswith("_or_null")
            record["fields"].append(
                {"name": name, "type": ["null", avro] if nullable else avro, "doc": "Added."}
                | ({"default": None} if nullable else {})
            )
        record["fields"].append({"name": "with_default", "type": "int", "doc": "Added.", "default": 7})
        path.write_text(json.dumps(record))
    return tmp_path


def test_added_fields_are_read_validated_and_written(copy):
    tests = Path(__file__).with_name("added_fields.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    # Started there, Python finds the copy before any other `attribution`.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-5000:]
