"""The file that says which prefixes belong to which region.

CSV with a header that names the columns `prefix` and `region`, and perhaps `network`, in any order and beside others;
`#` starts a comment. A prefix with a network is the region's in this network only.
It is configuration, so one wrong line refuses all of it: a prefix that is missing would send flows the wrong way.
"""

import csv
import ipaddress
import re
from pathlib import Path

from attribution.config import Settings
from attribution.core.addressing.regions import RegionTable
from attribution.errors import ConfigError

#: A region's name is a part of a topic's.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")


def read_regions(path: Path, settings: Settings | None = None) -> RegionTable:
    """The regions of a file.

    Args:
        path: the file.
        settings: the settings of the rules, which say how networks reach each other.

    Raises:
        ConfigError: it cannot be read, lacks a column, or a line is no prefix and region. A prefix has two regions in
            one network. A line names a network, and the settings say that all networks are one space.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the regions {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read the regions {path}: it is no text in UTF-8") from None
    stripped = enumerate((line.partition("#")[0].strip() for line in text.splitlines()), 1)
    lines = {number: line for number, line in stripped if line}
    rows = csv.DictReader(lines.values(), skipinitialspace=True)
    found = _found(path, rows)
    if len(found) < len(lines) - 1:
        raise ConfigError(f"cannot read the regions {path}: a quotation mark is not closed on its line")
    if not {"prefix", "region"} <= set(rows.fieldnames or ()):
        raise ConfigError(
            f"cannot read the regions {path}: the first line must name the columns prefix and region, "
            f"found {','.join(rows.fieldnames or ()) or 'nothing'}"
        )
    known: dict[tuple[str, str | None], str] = {}
    for number, row in zip(list(lines)[1:], found, strict=True):
        where = f"{path}, line {number}"
        prefix, region = _prefix(row["prefix"] or "", where), (row["region"] or "").strip()
        if not check_region(region):
            raise ConfigError(
                f"{where}: {region!r} cannot name a region: it is part of a topic's name, up to 40 letters, digits, "
                "dots, _ and -"
            )
        network = (row.get("network") or "").strip() or None
        if network is not None and settings is not None and settings.one_space:
            raise ConfigError(
                f"{where}: {prefix} is of network {network!r}, but `one_space` says that there is one only"
            )
        if known.setdefault((prefix, network), region) != region:
            named = prefix if network is None else f"{prefix} in {network}"
            raise ConfigError(f"{where}: {named} is of {region} here and of {known[prefix, network]} above")
    prefixes, networks = [prefix for prefix, _ in known], [network for _, network in known]
    return RegionTable(prefixes, list(known.values()), networks, settings)


def _found(path: Path, rows: "csv.DictReader[str]") -> list[dict[str, str | None]]:
    try:
        return list(rows)
    except csv.Error as error:
        raise ConfigError(f"cannot read the regions {path}: {error}") from None


def check_region(name: str) -> bool:
    """Whether a region may be called so."""
    return _NAME.fullmatch(name) is not None


def _prefix(text: str, where: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError as error:
        raise ConfigError(f"{where}: {text!r} is no prefix: {error}") from None
