"""Speed of longest prefix match in batches, beside a radix tree that is asked address by address.

    python benchmarks/prefixes.py                               # a full table: 1 M prefixes, 10 M addresses
    python benchmarks/prefixes.py --prefixes 100000 --ipv6

All are given the same prefixes and the same addresses, as text, and must give the same answers. Ours gets an Arrow
column, py-radix (and pytricia, if it is installed) a list of strings. Lengths are spread as in the global routing
table, so that prefixes are nested; addresses lie in random ones of them. Engines take turns; only ratios of processor
time mean something on a shared machine.
"""

import argparse
import importlib.util
import ipaddress
import statistics
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from attribution.core.addressing.prefixes import PrefixTable

#: Lengths of prefixes and their shares, about as in the global routing tables of IPv4 and IPv6.
IPV4_LENGTHS = {8: 1, 12: 3, 14: 5, 16: 13, 18: 13, 19: 25, 20: 45, 21: 50, 22: 110, 23: 100, 24: 575, 28: 30, 32: 30}
IPV6_LENGTHS = {20: 1, 24: 3, 29: 30, 32: 130, 36: 60, 40: 110, 44: 100, 48: 530, 56: 10, 64: 26}
#: Rows that ours is asked at a time, as a batch of flows has.
BATCH = 1 << 17


def make(rng, prefixes: int, addresses: int, *, ipv6: bool):
    """Texts of distinct prefixes, and of addresses in random ones of them."""
    lengths = IPV6_LENGTHS if ipv6 else IPV4_LENGTHS
    bits = 64 if ipv6 else 32  # of IPv6, the first half decides
    shares = np.array(list(lengths.values()), float)
    length = rng.choice(list(lengths), prefixes, p=shares / shares.sum())
    low, high = (0x2001 << 48, 0x2FFF << 48) if ipv6 else (1 << 24, 224 << 24)
    free = (np.uint64(bits) - length.astype(np.uint64)) % np.uint64(64)
    value = rng.integers(low, high, prefixes, dtype=np.uint64) >> free << free
    value, length = np.unique(np.stack([value, length.astype(np.uint64)], axis=1), axis=0).T
    picked = rng.integers(0, len(value), addresses)
    span = np.left_shift(np.uint64(1), np.uint64(bits) - length[picked], dtype=np.uint64)
    inside = value[picked] + (rng.random(addresses) * np.maximum(span.astype(float), 1)).astype(np.uint64)
    text = (lambda v: str(ipaddress.IPv6Address(v << 64))) if ipv6 else (lambda v: str(ipaddress.IPv4Address(v)))
    known = [f"{text(v)}/{n}" for v, n in zip(value.tolist(), length.tolist(), strict=True)]
    return known, [text(v) for v in inside.tolist()]


def ours(known: list[str]) -> Callable[[list[str]], list[str | None]]:
    names = pa.array(known)
    table = PrefixTable(pa.table({"prefix": names, "service": names}))

    def ask(addresses) -> list[str | None]:
        return [table.match(addresses.slice(at, BATCH)) for at in range(0, len(addresses), BATCH)]

    return ask


def py_radix(known: list[str]) -> Callable[[list[str]], list[str | None]]:
    import radix

    tree = radix.Radix()
    for prefix in known:
        tree.add(prefix)
    return lambda addresses: [tree.search_best(address) for address in addresses]


def pytricia(known: list[str]) -> Callable[[list[str]], list[str | None]]:
    import pytricia

    tree = pytricia.PyTricia(128 if ":" in known[0] else 32)
    for prefix in known:
        tree[prefix] = prefix
    return lambda addresses: [tree.get(address) for address in addresses]


def answers(engine: str, found, known: list[str]) -> list[str | None]:
    """What an engine found, as texts of prefixes."""
    if engine == "ours":
        return [None if row < 0 else known[row] for row in np.concatenate(found).tolist()]
    return [node and node.prefix for node in found] if engine == "py_radix" else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefixes", type=int, default=1_000_000)
    parser.add_argument("--addresses", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ipv6", action="store_true")
    options = parser.parse_args()
    known, texts = make(np.random.default_rng(1), options.prefixes, options.addresses, ipv6=options.ipv6)
    engines = {"ours": ours, "py_radix": py_radix}
    if importlib.util.find_spec("pytricia"):
        engines["pytricia"] = pytricia
    given = {name: pa.array(texts) if name == "ours" else texts for name in engines}
    print(f"{len(known):,} prefixes, {len(texts):,} addresses, {options.rounds} rounds in turn; CPU seconds")
    built, asked, first = {}, {name: [] for name in engines}, {}
    for name, engine in engines.items():
        began = time.process_time()
        built[name] = engine(known), time.process_time() - began
    for _ in range(options.rounds):
        for name, (ask, _) in built.items():
            began = time.process_time()
            found = ask(given[name])
            asked[name].append(time.process_time() - began)
            first.setdefault(name, answers(name, found[:1] if name == "ours" else found[:BATCH], known))
            del found
    for name, found in first.items():
        if found != first["ours"]:
            raise SystemExit(f"{name} differs from ours")
    print(f"{'engine':12}{'build':>9}{'ask':>9}{'addresses/s':>14}{'ours is faster':>16}")
    for name, (_, build) in built.items():
        taken = statistics.median(asked[name])
        ratio = statistics.median(a / b for a, b in zip(asked[name], asked["ours"], strict=True))
        print(f"{name:12}{build:9.2f}{taken:9.2f}{len(texts) / taken:14,.0f}{ratio:15.1f}x")


if __name__ == "__main__":
    main()
