"""Which name of a pool an attack is after."""
