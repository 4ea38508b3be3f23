import pytest

from attribution.errors import QueryError
from attribution.query.lake.filters import Filters, protocol_name, protocol_number


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ports": (65536,)}, "ports are 0 to 65535"),
        ({"ports": (-1,)}, "ports are 0 to 65535"),
        ({"protocols": ("carrier pigeon",)}, "one of icmp"),
        ({"protocols": (256,)}, "from 0 to 255"),
        ({"protocols": ("²",)}, "from 0 to 255"),
        ({"methods": ("guess",)}, "the methods are capture, heartbeat, socket_rule, assignment, label, policy, none"),
        ({"reasons": ("because",)}, "the reasons are reported, "),
    ],
)
def test_what_cannot_hold_for_any_flow_is_refused(fields, message):
    with pytest.raises(QueryError, match=message):
        Filters(**fields)


def test_protocols_by_name_or_number():
    assert [protocol_number(text) for text in ("TCP", "udp", "47", 132)] == [6, 17, 47, 132]
    assert [protocol_name(number) for number in (6, 17, 200, None)] == ["tcp", "udp", "200", None]
