from attribution.query.lake.protocols import port_name, protocol_name, protocol_number


def test_protocols_by_name_or_number():
    assert [protocol_number(text) for text in ("TCP", "udp", "47", 132)] == [6, 17, 47, 132]
    assert [protocol_name(number) for number in (6, 17, 200, None)] == ["tcp", "udp", "200", None]


def test_ports_are_named_with_what_is_known_of_them():
    assert port_name(443, 6) == "443/tcp"
    assert port_name(443, None) == "443"
    assert port_name(1000, 17, 1999) == "1000-1999/udp"
    assert port_name(None, 6) is None
