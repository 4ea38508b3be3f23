"""What the tests of the core share."""

import pytest

from attribution.core.ownership import heartbeat_store


@pytest.fixture
def compacting(monkeypatch):
    """Compact at every step, not only when there is much to compact."""
    monkeypatch.setattr(heartbeat_store, "_MERGE_FROM", -1 << 60)
