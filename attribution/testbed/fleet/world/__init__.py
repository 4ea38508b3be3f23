"""The world of a fleet: who there is, where, and when; nothing is observed yet."""
