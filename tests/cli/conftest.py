import pytest
from tiny_lake import write_tiny_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_tiny_lake(tmp_path_factory.mktemp("lakes") / "tiny")
