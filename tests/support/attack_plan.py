"""A search for an attacked name: its addresses, its times, and its plan before the first step."""

from tiny_lake import at

ATTACKED = "192.0.2.1"
FRESH = ("192.0.2.65", "192.0.2.66", "192.0.2.67")
NAMES = 20
TTL_BEFORE, TTL, OBSERVE = 300, 30, 30
START = at("12:00:00")
