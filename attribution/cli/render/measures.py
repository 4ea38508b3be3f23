"""Numbers and names as people read them; machines get them as they are."""

_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_COUNT_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"))


def format_bytes(count: int) -> str:
    """Decimal units with two or three digits: `1.2 GB`."""
    value, unit = float(count), 0
    # 999.95 kB would be written as 1000 kB.
    while abs(value) >= 999.5 and unit < len(_BYTE_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 1 if unit and abs(value) < 9.95 else 0
    return f"{value:.{digits}f} {_BYTE_UNITS[unit]}"


def format_count(count: int) -> str:
    """Groups of thousands, and units from ten millions on: `12,345`, `12.3 M`."""
    for size, unit in _COUNT_UNITS:
        if abs(count) >= 10 * size:
            return f"{count / size:.1f} {unit}"
    return f"{count:,}"


def counted(count: int, one: str, several: str = "") -> str:
    """A count with its noun, whose plural ends in an s unless it is given: `1 flow`, `2 flows`, `3 entries`."""
    return f"{format_count(count)} {one if count == 1 else several or one + 's'}"


def format_share(part: int, whole: int) -> str:
    """Percent with one digit; what is not nothing is never written as nothing, what is not all never as all."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < 0.05:
        return "<0.1%"
    if percent >= 99.95 and part != whole:
        return ">99.9%"
    return f"{percent:.1f}%"


def format_factor(factor: float) -> str:
    """How many times more, or what part of it: `3.2x`, `1/12`."""
    times = factor if factor >= 1 else 1 / factor if factor else float("inf")
    digits = f"{times:.1f}" if times < 9.95 else f"{times:,.0f}"
    return f"{digits}x" if factor >= 1 else f"1/{digits}"


def visible(text: str) -> str:
    """The text with everything that does not print (control characters, direction marks) as its escape."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
