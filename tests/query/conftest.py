import pytest
from tiny_lake import write_tiny_lake

from attribution.query.lake.session import LakeSession


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    return write_tiny_lake(tmp_path_factory.mktemp("lakes") / "tiny")


@pytest.fixture(scope="session")
def session(lake):
    with LakeSession(lake) as opened:
        yield opened
