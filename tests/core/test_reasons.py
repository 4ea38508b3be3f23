"""The closed lists of methods and reasons belong together."""

from attribution.core.reasons import CODES, HOSTNAME_CODES, HOSTNAME_REASONS, METHOD_OF, METHODS, REASONS


def test_every_reason_has_a_method_and_every_method_a_reason():
    assert [*METHOD_OF] == [*REASONS]
    assert set(METHOD_OF.values()) == set(METHODS)


def test_codes_are_places_in_the_lists():
    assert [list(REASONS)[code] for code in CODES.values()] == [*REASONS]
    assert [list(HOSTNAME_REASONS)[code] for code in HOSTNAME_CODES.values()] == [*HOSTNAME_REASONS]
