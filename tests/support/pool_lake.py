"""Connections to addresses of pools, for lakes of the tests of questions about pools."""

from tiny_lake import flow, pooled

from attribution.config import Settings

SPACE = Settings(pool_prefixes=("192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48"))


def come_in(time, client, server, pool="shared", policies="all", state="in_force", centre="ams", **fields):
    """A connection that the data centre logged at its own address of a pool."""
    return flow(
        time, f"{server}:443", f"{client}:50000", direction="ingress", data_centre=centre,
        **pooled("local", pool, policies, state) | {k: v for k, v in fields.items() if k.startswith("local_")},
        **{k: v for k, v in fields.items() if not k.startswith("local_")},
    )  # fmt: skip


def picked(found, *names):
    return [tuple(getattr(row, name) for name in names) for row in found]
