import pytest
from attack_plan import ATTACKED, FRESH, NAMES, OBSERVE, TTL, TTL_BEFORE

from attribution.config import SECOND
from attribution.query.attack.name_file import NameFile
from attribution.query.attack.plan import AttackPlan


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("".join(f"n{number:02}.example\n" for number in range(NAMES)))
    return NameFile.of(path)


@pytest.fixture
def plan(names):
    return AttackPlan(
        names=names.names,
        names_file=names.path,
        digest=names.digest,
        addresses=(*FRESH, ATTACKED),
        attacked=(ATTACKED,),
        ttl_before=TTL_BEFORE * SECOND,
        ttl=TTL * SECOND,
        observe=OBSERVE * SECOND,
    )
