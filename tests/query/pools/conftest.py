import pytest
from pool_lake import SPACE
from tiny_lake import write_lake


@pytest.fixture
def lake(tmp_path):
    def make(flows, policies=(), settings=SPACE):
        return write_lake(tmp_path / "lake", flows=flows, policies=policies, settings=settings)

    return make
